"""A registry in memory."""

from __future__ import annotations

import hashlib
import json

from ecr_widgets.errors import ImageNotFound, RegistryError, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import Manifest, Referrer, Referrers
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import ProgressSink
from tests.fakes.world import World, check_token, digest_of


class FakeRegistry:
    """Implements `ports.Registry`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def find_digest(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        check_token(self._world, image, token)
        if image.digest is not None:
            return image.digest if (image.repository, image.digest) in self._world.manifests else None
        return self._world.tags.get((image.repository, image.tag or "latest"))

    def read_details(self, image: ImageReference, token: AuthorizationToken) -> ImageDetails:
        check_token(self._world, image, token)
        if (image.repository, image.digest) not in self._world.manifests:
            raise ImageNotFound(f"no image {image}")
        return self._world.details.get(image.digest or "", ImageDetails("linux/amd64"))

    def find_image_id(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        digest = self.find_digest(image, token)
        ids = set(self._world.local.values()) | set(self._world.pushed)
        return next((each for each in sorted(ids) if digest_of("manifest of " + each) == digest), None)

    def copy_image(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
        *,
        progress: ProgressSink,
    ) -> str:
        check_token(self._world, source, source_token)
        check_token(self._world, target, target_token)
        assert source.digest is not None
        if (source.repository, source.digest) not in self._world.manifests:
            raise ImageNotFound(f"no image {source}")
        key = (target.repository, target.tag or "latest")
        if self._world.repositories[target.repository].tags_immutable and key in self._world.tags:
            raise TagImmutable("tag is immutable", standing=self._world.tags[key], wanted=source.digest)
        self._world.tags[key] = source.digest
        self._world.manifests.add((target.repository, source.digest))
        if (content := self._world.contents.get((source.repository, source.digest))) is not None:
            self._world.contents[target.repository, source.digest] = content
        self._world.changes.append(f"copy to {target.repository}:{target.tag}")
        return source.digest

    def copy_referrer(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
    ) -> None:
        manifest = self.read_manifest(source, source_token)
        described = json.loads(manifest.content)
        for part in (described["config"], *(described["layers"] or ())):
            blob = self.read_blob(source, part["digest"], source_token, largest_bytes=1 << 20)
            self.put_blob(target, blob, target_token)
        named = target.with_digest(manifest.digest)
        self.put_manifest(named, manifest.content, manifest.media_type, target_token)

    def read_manifest(self, image: ImageReference, token: AuthorizationToken) -> Manifest:
        check_token(self._world, image, token)
        found = self._world.contents.get((image.repository, image.digest or ""))
        if found is None:
            raise ImageNotFound(f"no manifest {image}")
        return found

    def read_blob(
        self, image: ImageReference, digest: str, token: AuthorizationToken, *, largest_bytes: int
    ) -> bytes:
        check_token(self._world, image, token)
        if (image.repository, digest) not in self._world.blobs:
            raise ImageNotFound(f"no blob {digest}")
        content = self._world.blobs[image.repository, digest]
        if len(content) > largest_bytes:
            raise RegistryError(f"{digest} is larger than {largest_bytes}")
        return content

    def list_referrers(
        self, image: ImageReference, token: AuthorizationToken, *, artifact_type: str = ""
    ) -> Referrers:
        check_token(self._world, image, token)
        return Referrers(
            tuple(
                Referrer(
                    digest,
                    each.media_type,
                    len(each.content),
                    about.get("artifactType", ""),
                    about.get("annotations", {}),
                )
                for (repository, digest), each in self._world.contents.items()
                if repository == image.repository
                and (about := json.loads(each.content)).get("subject", {}).get("digest") == image.digest
                and artifact_type in ("", about.get("artifactType"))
            )
        )

    def put_blob(self, image: ImageReference, content: bytes, token: AuthorizationToken) -> str:
        check_token(self._world, image, token)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._world.blobs[image.repository, digest] = content
        return digest

    def put_manifest(
        self, image: ImageReference, content: bytes, media_type: str, token: AuthorizationToken
    ) -> None:
        check_token(self._world, image, token)
        described = json.loads(content)
        for part in (described["config"], *(described["layers"] or ())):
            if (image.repository, part["digest"]) not in self._world.blobs:
                raise ImageNotFound(f"no blob {part['digest']}")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._world.contents[image.repository, digest] = Manifest(digest, media_type, content)
        self._world.manifests.add((image.repository, digest))
        if image.tag is not None:
            self._world.tags[image.repository, image.tag] = digest
        if "subject" in described:
            self._world.subjects[digest] = described["subject"]["digest"]
        self._world.changes.append(f"put {digest} into {image.repository}")
