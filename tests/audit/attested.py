"""Images in a registry, runs about them, and their seals attached, for tests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ecr_widgets.audit.attaching import Attachable, Attached, attach, attachable
from ecr_widgets.audit.attestation import BUNDLE_TYPE, Envelope, bundle_of, read_bundle
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.of_image import evidence_of
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.evidence import RUN_TYPE, ImageEvidence
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import EMPTY_CONFIG, IMAGE_MANIFEST
from ecr_widgets.ports import Registry
from tests.audit.runs import recorded, save
from tests.fakes import FakeEcr, FakeRegistry, World

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REPOSITORY = "attested/app"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Attested:
    """A registry with a repository, and a folder of runs that are about the images in it."""

    registry: Registry
    token: AuthorizationToken
    folder: Path
    ring: KeyRing = field(init=False)

    def __post_init__(self) -> None:
        self.ring = KeyRing(self.folder / "keys")

    @classmethod
    def in_memory(cls, folder: Path) -> Attested:
        """With the registry of the fakes."""
        world = World()
        ecr = FakeEcr(world)
        ecr.create_repository(REPOSITORY, tags_immutable=False, scan_on_push=False)
        return cls(FakeRegistry(world), ecr.authorization_token(), folder)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def resolve(self, image: ImageReference) -> tuple[ImageReference, AuthorizationToken]:
        """Stands in for `Registries`."""
        return image, self.token

    def image(self, name: str = "1") -> ImageReference:
        """An image of no layers, put into the repository; by digest."""
        image = ImageReference(self.token.registry, REPOSITORY, tag=name)
        config = self.registry.put_blob(image, name.encode(), self.token)
        about = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": len(name)}
        content = json.dumps(
            {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": about, "layers": []}
        ).encode()
        self.registry.put_manifest(image, content, IMAGE_MANIFEST, self.token)
        return image.with_digest(digest_of(content))

    def notebook(
        self, image: ImageReference, run_id: str = "run-1", kind: str = "deployed", **run: Any
    ) -> dict[str, Any]:
        """A recorded run as if it had been of that image."""
        text = json.dumps(recorded(kind)).replace("xfra-wait", REPOSITORY)
        pinned = re.search(rf"([\w.:-]+)/{REPOSITORY}@(sha256:[0-9a-f]{{64}})", text)
        if pinned is not None:
            for old, new in zip(pinned.groups(), (image.registry, image.digest), strict=True):
                text = text.replace(old, str(new))
        text = text.replace(recorded(kind)["metadata"]["ecr_widgets"]["run_id"], run_id)
        notebook: dict[str, Any] = json.loads(text)
        notebook["metadata"]["ecr_widgets"] |= run
        return notebook

    def seal(
        self,
        image: ImageReference,
        run_id: str = "run-1",
        *,
        kind: str = "deployed",
        ring: KeyRing | None = None,
        hours: int = 0,
        change: Callable[[dict[str, Any]], object] = lambda notebook: None,
        **run: Any,
    ) -> Attachable:
        """A sealed run of that image, with its notebook changed before."""
        ring = ring or self.ring
        self.seal_only(image, run_id, kind=kind, ring=ring, hours=hours, change=change, **run)
        return list(attachable(self.runs, ring))[-1]

    def seal_only(
        self,
        image: ImageReference,
        run_id: str,
        *,
        kind: str,
        ring: KeyRing,
        hours: int = 0,
        change: Callable[[dict[str, Any]], object] = lambda notebook: None,
        **run: Any,
    ) -> None:
        """The same of a run that may have acted on no image."""
        notebook = self.notebook(image, run_id, kind, **run)
        change(notebook)
        save(self.runs, kind, f"{run_id}.ipynb", notebook)
        seal_run(self.runs, f"{run_id}.ipynb", ring=ring, now=NOW + timedelta(hours=hours))

    def attach(self, run: Attachable) -> list[Attached]:
        """Attach it as the command does."""
        return list(attach(run, self, holds_secret=lambda _: False))  # type: ignore[arg-type]

    def put(self, image: ImageReference, bundle: bytes, **changes: Any) -> str:
        """Attach any bundle, as whoever may push can."""
        config, layer = (self.registry.put_blob(image, blob, self.token) for blob in (b"{}", bundle))
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE_MANIFEST,
            "artifactType": BUNDLE_TYPE,
            "config": {"mediaType": EMPTY_CONFIG, "digest": config, "size": 2},
            "layers": [{"mediaType": BUNDLE_TYPE, "digest": layer, "size": len(bundle)}],
            "subject": {"mediaType": IMAGE_MANIFEST, "digest": image.digest, "size": 7},
            "annotations": {"dev.sigstore.bundle.predicateType": RUN_TYPE},
        } | changes
        content = json.dumps(manifest).encode()
        named = image.with_digest(digest_of(content))
        self.registry.put_manifest(named, content, IMAGE_MANIFEST, self.token)
        return str(named.digest)

    def evidence(self, image: ImageReference, ring: KeyRing | None = None) -> ImageEvidence:
        """What is attached to an image."""
        return evidence_of(image, self.registry, self.token, (ring or self.ring).known())


def resigned(run: Attachable, ring: KeyRing, *changes: tuple[bytes, bytes]) -> bytes:
    """A run's bundle with texts of its statement replaced, signed by whoever holds that ring."""
    key, signer = ring.signing_key(now=NOW)
    payload = read_bundle(run.line).payload
    for old, new in (*changes, (run.seal.key.encode(), key.key.encode())):
        assert old in payload
        payload = payload.replace(old, new)
    envelope = Envelope(payload, b"", key.key)
    return bundle_of(envelope._replace(signature=signer.sign(envelope.signed)))
