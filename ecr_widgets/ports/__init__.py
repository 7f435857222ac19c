"""What the steps need of the outside, and no more: one small Protocol a system.

The adapters implement these against the real systems, `tests/fakes.py` in memory; both run the same contract tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports.ecr import Ecr
from ecr_widgets.ports.layer0 import Layer0
from ecr_widgets.ports.locks import Lease, Locks
from ecr_widgets.ports.reading import reads

if TYPE_CHECKING:
    from ecr_widgets.model.authorization_token import AuthorizationToken
    from ecr_widgets.model.build_context import BuildContext
    from ecr_widgets.model.build_options import BuildOptions
    from ecr_widgets.model.engine_facts import EngineFacts, HeldImage
    from ecr_widgets.model.image_reference import ImageReference
    from ecr_widgets.model.referrers import Manifest, Referrers
    from ecr_widgets.model.registry import ImageDetails

__all__ = [
    "Clock",
    "Ecr",
    "Engine",
    "Layer0",
    "Lease",
    "Locks",
    "Progress",
    "ProgressSink",
    "Registry",
    "ignore_progress",
]


@dataclass(frozen=True, slots=True)
class Progress:
    """One observation of long work."""

    what: str
    """What is being done: an image layer's id, `build`, a service's name."""
    message: str
    done: int | None = None
    total: int | None = None
    """In bytes or counts, whichever `unit` says; None where the end is not known."""
    unit: str = ""
    again: bool = False
    """Whether it is begun once more because what was tried before failed; `message` says how."""


ProgressSink = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """The sink for callers who do not watch."""


class Clock(Protocol):
    """Time, passed in so that no test sleeps."""

    def now(self) -> datetime:
        """Aware UTC time."""
        ...

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Wait."""
        ...


class Registry(Protocol):
    """A registry's data plane (OCI distribution)."""

    @reads
    def find_digest(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        """Digest of the manifest that the registry itself serves for the reference, or None.

        Raises:
            AuthorizationError: The token was refused or has expired.

            RepositoryNotFound: There is no such repository.
        """
        ...

    @reads
    def read_details(self, image: ImageReference, token: AuthorizationToken) -> ImageDetails:
        """Platform of an image, or the images that an index names.

        Args:
            image: By digest.

        Raises:
            AuthorizationError: The token was refused or has expired.

            ImageNotFound: The registry has no such image.
        """
        ...

    @reads
    def find_image_id(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        """The id that an engine gives the image, which is the digest of its configuration; None for an index or nothing.

        Raises:
            AuthorizationError: The token was refused or has expired.
        """
        ...

    def copy_image(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
        *,
        progress: ProgressSink,
    ) -> str:
        """Copy an image, an index with all its images, byte for byte; what the target has is not sent again.

        Args:
            source: By digest.

            target: Tagged.

        Returns:
            The digest under the tag, which is the source's.

        Raises:
            AuthorizationError: A token was refused or has expired.

            RepositoryNotFound: The target's repository does not exist.

            ImageNotFound: The source has no such image.

            TagImmutable: The target's tag names another image and must not move.
        """
        ...

    def copy_referrer(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
    ) -> None:
        """Copy a manifest that refers to an image, byte for byte, and have it listed with what refers to that image there.

        Args:
            source: By the manifest's own digest.

            target: Any reference into the repository to copy to.

        Raises:
            ImageNotFound: The source has none of that digest.

            TagImmutable: The target keeps no list, and the fallback tag must not move.

            RegistryError: The target refused it, or does not list it.
        """
        ...

    @reads
    def read_manifest(self, image: ImageReference, token: AuthorizationToken) -> Manifest:
        """A manifest by digest, its content checked.

        Raises:
            AuthorizationError: The token was refused or has expired.

            ImageNotFound: The registry has none of that digest.
        """
        ...

    @reads
    def read_blob(
        self, image: ImageReference, digest: str, token: AuthorizationToken, *, largest_bytes: int
    ) -> bytes:
        """A small blob of the image's repository, its content checked.

        Raises:
            ImageNotFound: The repository has none of that digest.

            RegistryError: It is larger.
        """
        ...

    @reads
    def list_referrers(
        self, image: ImageReference, token: AuthorizationToken, *, artifact_type: str = ""
    ) -> Referrers:
        """What refers to a manifest, as the registry lists it or as its fallback tag does; bounded, and nothing is checked.

        Args:
            image: By digest; the repository need not have it.

            artifact_type: Asks the registry for these alone, of which it may take no notice; empty for all.

        Raises:
            AuthorizationError: The token was refused or has expired.

            RepositoryNotFound: There is no such repository.
        """
        ...

    def put_blob(self, image: ImageReference, content: bytes, token: AuthorizationToken) -> str:
        """Put a small blob into the image's repository, where it is not there yet, and give back its digest.

        Raises:
            RepositoryNotFound: There is no such repository.
        """
        ...

    def put_manifest(
        self, image: ImageReference, content: bytes, media_type: str, token: AuthorizationToken
    ) -> None:
        """Put a manifest whose blobs are there; one with a subject is listed among its referrers then, by tag where needed.

        Args:
            image: By the manifest's digest, or tagged.

        Raises:
            RepositoryNotFound: There is no such repository.

            TagImmutable: A tag names another manifest and must not move: the image's, or the fallback tag of its subject.

            RegistryError: It was refused, or it is there and not listed.
        """
        ...


class Engine(Protocol):
    """A Docker Engine. Every call may raise EngineUnavailable."""

    @reads
    def facts(self) -> EngineFacts:
        """What kind of engine it is and where."""
        ...

    @reads
    def find_image_id(self, image: str) -> str | None:
        """Id of a local image by reference or id, or None; what kind of digest it is depends on the engine."""
        ...

    @reads
    def look_at(self, image: str) -> HeldImage | None:
        """What the engine knows of a local image, by one question; None where there is none."""
        ...

    @reads
    def holds_index(self, image_id: str) -> bool:
        """Whether the local image is an index and not one image; only a containerd store holds any."""
        ...

    @reads
    def check_build(self, context: BuildContext, options: BuildOptions) -> str:
        """What would build it, in words; nothing is built.

        Raises:
            BuildError: It would drop or fail at something that the Dockerfile or an option asks.
        """
        ...

    def build(
        self,
        context: BuildContext,
        *,
        options: BuildOptions,
        tags: Sequence[str],
        logins: Sequence[AuthorizationToken],
        progress: ProgressSink,
    ) -> str:
        """Build an image and give back its id.

        Args:
            logins: For registries of base images and of the cache; for others the user's own logins count.

        Raises:
            BuildError: A step failed; or it was refused as `check_build` refuses it.

            AuthorizationError: A registry refused its login.
        """
        ...

    def tag(self, source: str, target: ImageReference) -> None:
        """Give a local image another name."""
        ...

    def push(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str | None:
        """Push one tagged image.

        Returns:
            The digest that the engine says it pushed, None where it names none.

        Raises:
            AuthorizationError: The registry refused the token.

            RepositoryNotFound: There is no such repository.

            TagImmutable: The tag names another image and must not move.

            PushError: The engine reported any other error.
        """
        ...

    def pull(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        """Pull one image and give back its id.

        Raises:
            ImageNotFound: The registry has no such image.

            AuthorizationError: The registry refused the token.
        """
        ...
