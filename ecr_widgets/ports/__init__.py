"""What the steps need from outside systems, and no more: one small Protocol per system.

The adapters implement these with the real systems, `tests/fakes.py` in memory; both run the same contract tests.
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
    """One progress report of a long operation."""

    what: str
    """What is being done: an image layer's id, `build`, a service's name."""
    message: str
    done: int | None = None
    total: int | None = None
    """In bytes or counts, as `unit` says; None if the end is not known."""
    unit: str = ""
    again: bool = False
    """Whether it starts again because the last attempt failed; `message` says how."""


ProgressSink = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """The sink for callers that do not watch progress."""


class Clock(Protocol):
    """Time, passed in so that no test sleeps."""

    def now(self) -> datetime:
        """Aware UTC time."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes backwards."""

    def sleep(self, duration_s: float) -> None:
        """Wait."""


class Registry(Protocol):
    """A registry's data plane (OCI distribution)."""

    @reads
    def find_digest(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        """Digest of the manifest that the registry itself serves for the reference, or None.

        Raises:
            AuthorizationError: The token was refused or has expired.

            RepositoryNotFound: No such repository.
        """

    @reads
    def read_details(self, image: ImageReference, token: AuthorizationToken) -> ImageDetails:
        """Platform of an image, or the images that an index lists.

        Args:
            image: By digest.

        Raises:
            AuthorizationError: The token was refused or has expired.

            ImageNotFound: The registry has no such image.
        """

    @reads
    def find_image_id(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        """The id that an engine gives the image: its configuration's digest. None for an index, or if there is no image.

        Raises:
            AuthorizationError: The token was refused or has expired.
        """

    def copy_image(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
        *,
        progress: ProgressSink,
    ) -> str:
        """Copy an image, or an index with all its images, byte for byte; what the target already has is not sent again.

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

    def copy_referrer(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
    ) -> None:
        """Copy a manifest that refers to an image, byte for byte, and have it listed among that image's referrers there.

        Args:
            source: By the manifest's own digest.

            target: Any reference into the repository to copy to.

        Raises:
            ImageNotFound: The source has no manifest with that digest.

            TagImmutable: The target keeps no list, and the fallback tag must not move.

            RegistryError: The target refused it, or does not list it as a referrer.
        """

    @reads
    def read_manifest(self, image: ImageReference, token: AuthorizationToken) -> Manifest:
        """A manifest by digest, its content checked.

        Raises:
            AuthorizationError: The token was refused or has expired.

            ImageNotFound: The registry has no manifest with that digest.
        """

    @reads
    def read_blob(
        self, image: ImageReference, digest: str, token: AuthorizationToken, *, largest_bytes: int
    ) -> bytes:
        """A small blob of the image's repository, its content checked.

        Raises:
            ImageNotFound: The repository has no blob with that digest.

            RegistryError: The blob is larger than `largest_bytes`.
        """

    @reads
    def list_referrers(
        self, image: ImageReference, token: AuthorizationToken, *, artifact_type: str = ""
    ) -> Referrers:
        """What refers to a manifest, from the registry's list or the fallback tag; bounded in number, content unchecked.

        Args:
            image: By digest; the repository need not have it.

            artifact_type: Asks the registry for this type only, which the registry may ignore; empty for all.

        Raises:
            AuthorizationError: The token was refused or has expired.

            RepositoryNotFound: No such repository.
        """

    def put_blob(self, image: ImageReference, content: bytes, token: AuthorizationToken) -> str:
        """Put a small blob into the image's repository, unless it already exists, and return its digest.

        Raises:
            RepositoryNotFound: No such repository.
        """

    def put_manifest(
        self, image: ImageReference, content: bytes, media_type: str, token: AuthorizationToken
    ) -> None:
        """Put a manifest whose blobs exist, and list it among its subject's referrers if it has one, by tag if needed.

        Args:
            image: By the manifest's digest, or tagged.

        Raises:
            RepositoryNotFound: No such repository.

            TagImmutable: A tag names another manifest and must not move: the image's, or its subject's fallback tag.

            RegistryError: It was refused, or it was put but is not listed.
        """


class Engine(Protocol):
    """A Docker Engine. Every call may raise EngineUnavailable."""

    @reads
    def facts(self) -> EngineFacts:
        """What kind of engine it is, and where it is."""

    @reads
    def find_image_id(self, image: str) -> str | None:
        """Id of a local image by reference or id, or None; what the digest covers depends on the engine."""

    @reads
    def look_at(self, image: str) -> HeldImage | None:
        """What the engine knows about a local image, by one call; None if there is no such image."""

    @reads
    def holds_index(self, image_id: str) -> bool:
        """Whether the local image is an index and not a single image; only a containerd store holds indexes."""

    @reads
    def check_build(self, context: BuildContext, options: BuildOptions) -> str:
        """The builder that would be used, in words; nothing is built.

        Raises:
            BuildError: The builder would ignore, or fail at, something in the Dockerfile or the options.
        """

    def build(
        self,
        context: BuildContext,
        *,
        options: BuildOptions,
        tags: Sequence[str],
        logins: Sequence[AuthorizationToken],
        progress: ProgressSink,
    ) -> str:
        """Build an image and return its id.

        Args:
            logins: For the registries of base images and of the cache; for others the user's own logins are used.

        Raises:
            BuildError: A step failed, or the build was refused as by `check_build`.

            AuthorizationError: A registry refused its login.
        """

    def tag(self, source: str, target: ImageReference) -> None:
        """Give a local image another name."""

    def push(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str | None:
        """Push one tagged image.

        Returns:
            The digest that the engine reports as pushed; None if it reports none.

        Raises:
            AuthorizationError: The registry refused the token.

            RepositoryNotFound: No such repository.

            TagImmutable: The tag names another image and must not move.

            PushError: The engine reported any other error.
        """

    def pull(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        """Pull one image and return its id.

        Raises:
            ImageNotFound: The registry has no such image.

            AuthorizationError: The registry refused the token.
        """
