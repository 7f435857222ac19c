"""A Docker Engine in memory."""

from __future__ import annotations

from collections.abc import Sequence

from ecr_widgets.errors import ImageNotFound, PushError, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import BuildContext
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.engine_facts import EngineFacts, HeldImage, ImageStore
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import Progress, ProgressSink
from tests.fakes.ecr import FakeEcr
from tests.fakes.world import World, check_password, check_token, digest_of


class FakeEngine:
    """Implements `ports.Engine`; an image's id depends on its Dockerfile's text.

    Args:
        store: Decides what an id is, which digests are known before and after a push, and what a push says.
    """

    def __init__(
        self, world: World, store: ImageStore = ImageStore.GRAPH_DRIVER, version: str = "28.2"
    ) -> None:
        self._world = world
        self._store = store
        self._version = version

    def facts(self) -> EngineFacts:
        name = "Podman Engine" if self._store is ImageStore.PODMAN else "Docker Engine"
        return EngineFacts(name, self._version, "1.48", self._store, "overlay2", "unix:///fake/docker.sock")

    def find_image_id(self, image: str) -> str | None:
        return image if image in self._world.local.values() else self._world.local.get(image)

    def look_at(self, image: str) -> HeldImage | None:
        image_id = self.find_image_id(image)
        if image_id is None:
            return None
        says = self._store is not ImageStore.CONTAINERD or self._version >= "28"
        return HeldImage(image_id, self._references(image_id), self.holds_index(image_id) if says else None)

    def holds_index(self, image_id: str) -> bool:
        return self._store is ImageStore.CONTAINERD and bool(
            self._world.details.get(image_id, ImageDetails()).children
        )

    def check_build(self, context: BuildContext, options: BuildOptions) -> str:
        return "a builder in memory"

    def build(
        self,
        context: BuildContext,
        *,
        options: BuildOptions,
        tags: Sequence[str],
        logins: Sequence[AuthorizationToken],
        progress: ProgressSink,
    ) -> str:
        for token in logins:
            check_password(self._world, token)
        image_id = digest_of(context.dockerfile.read_text())
        self._world.local[image_id] = image_id
        self._world.built_with.append(tuple(each.registry for each in logins))
        progress(Progress("build", "step 1"))
        for tag in tags:
            self._world.local[tag] = image_id
        return image_id

    def tag(self, source: str, target: ImageReference) -> None:
        image_id = self.find_image_id(source)
        if image_id is None:
            raise ImageNotFound(f"no local image {source!r}")
        self._world.local[str(target)] = image_id

    def push(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str | None:
        if image.tag is None:
            raise PushError(f"{image} has no tag")
        if image.repository.startswith(self._world.created_on_push):
            FakeEcr(self._world).create_repository(image.repository, tags_immutable=False, scan_on_push=False)
        check_token(self._world, image, token)
        image_id = self._world.local[str(image)]
        digest = self._manifest(image_id)
        key = (image.repository, image.tag or "latest")
        if (
            self._world.repositories[image.repository].tags_immutable
            and self._world.tags.get(key, digest) != digest
        ):
            raise TagImmutable("tag is immutable", standing="", wanted=None)
        self._world.tags[key] = digest
        self._world.manifests.add((image.repository, digest))
        self._world.pushed_at.setdefault(digest, self._world.now)
        self._world.pushed.setdefault(image_id, set()).add(image.with_digest(digest))
        self._world.changes.append(f"push {image.repository}:{image.tag}")
        # Only an engine with a graph driver reports the digest where programs can find it.
        return digest if self._store is ImageStore.GRAPH_DRIVER else None

    def _manifest(self, image_id: str) -> str:
        return image_id if self._store is ImageStore.CONTAINERD else digest_of("manifest of " + image_id)

    def pull(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        check_token(self._world, image, token)
        digest = image.digest or self._world.tags.get((image.repository, image.tag or "latest"))
        for image_id, references in self._world.pushed.items():
            if digest in {reference.digest for reference in references}:
                self._world.local[str(image)] = image_id
                return image_id
        raise ImageNotFound(f"no image {image}")

    def _references(self, image: str) -> tuple[ImageReference, ...]:
        image_id = self.find_image_id(image)
        if image_id is None:
            return ()
        if self._store is ImageStore.GRAPH_DRIVER:
            return tuple(self._world.pushed.get(image_id, ()))
        # Every local name with the same digest, pushed or not; Podman's digest is one that no registry serves.
        digest = image_id if self._store is ImageStore.CONTAINERD else digest_of("local " + image_id)
        names = [name for name, held in self._world.local.items() if held == image_id and name != image_id]
        return tuple(ImageReference.parse(name).with_digest(digest) for name in sorted(names))
