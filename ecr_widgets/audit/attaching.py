"""A seal attached to the images that its run acted on: one referrer each, by digest, with the chain's line unchanged.

What is attached is published: anyone who can pull the image can read it, and copies cannot be recalled. So it is small, it is
refused if it contains a known secret, and the notebook is attached only on request, by `attaching_notebook`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.attestation import BUNDLE_TYPE, read_bundle
from ecr_widgets.audit.chain import content_of, links_of
from ecr_widgets.audit.chain_check import Trouble, Watcher
from ecr_widgets.audit.keys import KeyRing, default_ring
from ecr_widgets.audit.of_image import MAX_BUNDLE_BYTES, PREDICATE_NOTE
from ecr_widgets.audit.registries import Registries
from ecr_widgets.audit.seal import Link, Seal, read_links
from ecr_widgets.audit.seal_objects import beginning_of, chains_of_days, day_of, links_of_run, look_at
from ecr_widgets.errors import EcrWidgetsError, ImageNotFound, InputError, RecordError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.model.evidence import RUN_TYPE
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import EMPTY_CONFIG, IMAGE_MANIFEST, Manifest
from ecr_widgets.model.times import to_rfc3339

NOT_ATTACHED = "not attached"
_NOTHING = b"{}"

HoldsSecret = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Attachable:
    """A seal that may be attached."""

    line: bytes
    seal: Seal


@dataclass(frozen=True, slots=True)
class Attached:
    """The result for one run and one image."""

    run_id: str
    image: str
    """The image by digest, with its registry."""
    state: str
    """`attached`, `already attached`, `gone` if the image no longer exists, or `not attached`."""
    why: str = ""
    referrer: str | None = None
    """The digest of what is attached."""
    what: str = "seal"
    """`seal` or `notebook`."""


def attach_finished_run(
    path: Place, registries: Callable[[], Registries], *, holds_secret: HoldsSecret
) -> str | None:
    """Attach a run that was just sealed.

    Args:
        registries: Called only if there is something to attach.

    Returns:
        Why it is not attached everywhere; None if it is, or if there is nothing to attach it to. The run is unaffected.
    """
    try:
        ring = default_ring()
        if isinstance(path, Path):
            seals = [each for each in attachable(path.parent, ring) if each.seal.path == path.name]
        else:
            seals = list(_of_run(path, ring))
        done = [each for one in seals[-1:] for each in attach(one, registries(), holds_secret=holds_secret)]
    except (EcrWidgetsError, OSError, ValueError) as error:
        return str(error)
    return "; ".join(f"{each.image}: {each.why}" for each in done if each.why) or None


def find_attachable(runs: Place, run_id: str, ring: KeyRing) -> Attachable:
    """Return the newest seal of a run.

    Raises:
        InputError: No seal can be attached; the message says why.

        OSError: A bucket does not answer.
    """
    if isinstance(runs, Path):
        seals = [each for each in attachable(runs, ring) if each.seal.run_id == run_id]
    else:
        names = [name for name in bucket_store(runs).names(prefix=run_id) if name.endswith(".ipynb")]
        seals = [each for name in names for each in _of_run(runs / name, ring) if each.seal.run_id == run_id]
    if seals:
        return seals[-1]
    if isinstance(runs, Path):
        links = links_of(runs)
    else:
        links = [link for name in names for link in links_of_run(bucket_store(runs), name)]
    sealed = [link.seal for link in links if link.seal and link.seal.run_id == run_id]
    if not sealed:
        raise InputError(f"run {run_id} is not sealed in {str(runs)!r}", hint="see `ecr-widgets audit list`")
    if not sealed[-1].run.deeds:
        raise InputError(f"run {run_id} acted on no image, so there is nothing to attach it to")
    raise InputError(
        f"the seal of run {run_id} cannot be attached: it is not in order, or of an earlier release",
        hint="see `ecr-widgets audit verify`",
    )


def attachable(runs: Place, ring: KeyRing) -> Iterator[Attachable]:
    """Yield the seals of a folder's own chain or of a bucket that are in order and whose runs acted on images, oldest first.

    Raises:
        RecordError: The chain cannot be read.

        OSError: A bucket does not answer.
    """
    keys = ring.known()
    if isinstance(runs, Path):
        yield from _attachable(Watcher(keys).look_at(read_links(content_of(runs))))
        return
    for day, links, _ in chains_of_days(bucket_store(runs)):
        yield from _attachable(Watcher(keys, beginning_of(day_of(day), links[0])).look_at(links))


def _of_run(path: BucketPath, ring: KeyRing) -> Iterator[Attachable]:
    links, keys = links_of_run(bucket_store(path.parent), path.name), ring.known()
    return _attachable((link, look_at(link, keys)) for link in links)


def _attachable(looked: Iterable[tuple[Link, Trouble | None]]) -> Iterator[Attachable]:
    for link, trouble in looked:
        if trouble is None and link.seal and link.seal.run.deeds and not link.seal.retired:
            yield Attachable(link.line, link.seal)


def attach(run: Attachable, registries: Registries, *, holds_secret: HoldsSecret) -> Iterator[Attached]:
    """Attach a seal to each image that its run acted on, if it is not attached already.

    Raises:
        RecordError: It must not be published; nothing was attached.
    """
    _check(run, holds_secret)
    yield from attach_to_images(run, payload_of(run), registries, what="seal")


def attach_to_images(
    run: Attachable,
    payload: Payload,
    registries: Registries,
    *,
    what: str,
    refuse: Callable[[ImageReference], None] = lambda _: None,
) -> Iterator[Attached]:
    """Attach a payload to each image that a run acted on, if it is not attached already.

    Args:
        what: As in `Attached`.

        refuse: Raises one of our errors for an image that must not get it.
    """
    deeds = run.seal.run.deeds
    for image in dict.fromkeys(ImageReference.parse(f"{deed.repository}@{deed.digest}") for deed in deeds):
        names = (run.seal.run_id or "", str(image))
        try:
            named, token = registries.resolve(image)
            refuse(named)
            state, referrer = attach_payload(payload, registries, named, token)
            yield Attached(*names, state, referrer=referrer, what=what)
        except ImageNotFound as error:
            yield Attached(*names, "gone", error.message, what=what)
        except EcrWidgetsError as error:
            yield Attached(*names, NOT_ATTACHED, str(error), what=what)


def _check(run: Attachable, holds_secret: HoldsSecret) -> None:
    why = None
    if len(run.line) > MAX_BUNDLE_BYTES:
        why = f"its seal is larger than {MAX_BUNDLE_BYTES // 1000} kB"
    elif "/" in run.seal.path:
        why = "its seal names the folder of the notebook"
    elif holds_secret(read_bundle(run.line).payload.decode()):
        why = "a known secret is in its seal"
    if why:
        raise RecordError(f"run {run.seal.run_id} is not attached to any image: {why}")


@dataclass(frozen=True, slots=True)
class Payload:
    """What to attach, as one layer."""

    artifact_type: str
    layer_type: str
    content: bytes
    annotations: Mapping[str, str]


def attach_payload(
    payload: Payload, registries: Registries, image: ImageReference, token: AuthorizationToken
) -> tuple[str, str]:
    """Attach a payload to an image, and return the state and the digest of the referrer."""
    registry = registries.registry
    content = manifest_of(payload, registry.read_manifest(image, token))
    named = image.with_digest(f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert named.digest is not None
    listed = registry.list_referrers(image, token, artifact_type=payload.artifact_type)
    if named.digest in {each.digest for each in listed.entries}:
        return "already attached", named.digest
    for blob in (_NOTHING, payload.content):
        registry.put_blob(image, blob, token)
    registry.put_manifest(named, content, IMAGE_MANIFEST, token)
    return "attached", named.digest


def payload_of(run: Attachable) -> Payload:
    """Return a run's seal in the form that cosign finds."""
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        PREDICATE_NOTE: RUN_TYPE,
        "org.opencontainers.image.created": to_rfc3339(run.seal.sealed_at),
    }
    return Payload(BUNDLE_TYPE, BUNDLE_TYPE, run.line, annotations)


def manifest_of(payload: Payload, subject: Manifest) -> bytes:
    """Return the referrer's manifest: as plain as possible, because ECR's parser accepts no more, and the same each time."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "artifactType": payload.artifact_type,
        "config": _described(EMPTY_CONFIG, _NOTHING),
        "layers": [_described(payload.layer_type, payload.content)],
        "subject": {
            "mediaType": subject.media_type,
            "digest": subject.digest,
            "size": len(subject.content),
        },
        "annotations": dict(payload.annotations),
    }
    return json.dumps(manifest, separators=(",", ":")).encode()


def _described(media_type: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": media_type, "digest": digest, "size": len(content)}
