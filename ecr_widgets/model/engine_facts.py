"""What kind of engine this is: differences between engines are decided from this, and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ecr_widgets.model.image_reference import ImageReference


class ImageStore(StrEnum):
    """How an engine keeps images, which decides what an image's id is."""

    GRAPH_DRIVER = "graph driver"
    """Docker's older store: unpacked layers; an id is the digest of the configuration."""
    CONTAINERD = "containerd"
    """Content as registries store it; an id is the digest of the manifest, or of the index."""
    PODMAN = "containers-storage"
    """Podman's; an id is the digest of the configuration."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """One engine, as records describe it."""

    name: str
    """`Docker Engine` or `Podman Engine`, as it calls itself."""
    version: str
    api_version: str
    store: ImageStore
    driver: str
    """The storage driver for layers, such as `overlay2`."""
    address: str
    """Its address, and where that address comes from."""
    rootless: bool = False

    @property
    def ids_are_manifests(self) -> bool:
        """Whether a local image's id is the digest that a registry gives it."""
        return self.store is ImageStore.CONTAINERD

    @property
    def pushes_indexes(self) -> bool:
        """Whether it can be left to push an index.

        Before 28.2 the containerd store pushed each manifest of an index under the tag, one after the other: an immutable
        tag stayed on the first one to arrive.

        Source: moby pull request 49949.
        """
        return self.ids_are_manifests and self.is_at_least(28, 2)

    def is_at_least(self, major: int, minor: int = 0) -> bool:
        """Whether it is this version or later; builds between releases, which have no number, count as new."""
        version = _numbers(self.version)
        return not any(version) or version >= (major, minor)

    @property
    def takes_buildkit(self) -> bool:
        """Whether it has a BuildKit of its own; Podman builds with Buildah."""
        return self.store is not ImageStore.PODMAN


@dataclass(frozen=True, slots=True)
class HeldImage:
    """A local image, as its engine knows it."""

    image_id: str
    known_as: tuple[ImageReference, ...]
    """References by digest; only the registry can say what it serves under them."""
    is_index: bool | None = None
    """None if that would take another request to the engine."""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
