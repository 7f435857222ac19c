"""A registry in memory."""

from __future__ import annotations

from ecr_widgets.errors import ImageNotFound, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
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
        self._world.changes.append(f"copy to {target.repository}:{target.tag}")
        return source.digest
