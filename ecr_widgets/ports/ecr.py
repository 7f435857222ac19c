"""What the steps need from ECR's control plane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports.reading import reads

if TYPE_CHECKING:
    from ecr_widgets.model.authorization_token import AuthorizationToken
    from ecr_widgets.model.encryption import Encryption
    from ecr_widgets.model.registry import Child, Expiry, Findings, Identity, Image, ImagePage, Repository
    from ecr_widgets.model.registry_host import RegistryId
    from ecr_widgets.model.tag_rule import TagRule


class Ecr(Protocol):
    """ECR's control plane. Every call may raise RegistryUnavailable or AuthorizationError."""

    @reads
    def identity(self) -> Identity:
        """The identity that makes the calls."""

    @reads
    def registry_id(self) -> RegistryId:
        """Account and region of the registry."""

    @reads
    def authorization_token(self) -> AuthorizationToken:
        """A new token for the account's registry."""

    @reads
    def find_repository(self, name: str) -> Repository | None:
        """The repository, or None if there is none with that name."""

    def create_repository(
        self,
        name: str,
        *,
        tags_immutable: bool,
        scan_on_push: bool,
        encryption: Encryption | None = None,
        tag_exceptions: tuple[str, ...] = (),
    ) -> tuple[Repository, bool]:
        """The repository, and whether this call created it (False: it already existed, with its own settings).

        Args:
            encryption: None for ECR's default, AES256.

            tag_exceptions: Patterns of the tags for which the opposite of `tags_immutable` applies.

        Raises:
            RegistryError: ECR refused it, for example because the key does not exist or must not be used.
        """

    @reads
    def creates_on_push(self, name: str) -> bool:
        """Whether a push to this repository creates it, because one of the account's templates says so."""

    @reads
    def creates_on_pull(self, name: str) -> bool:
        """Whether the first pull from this repository creates it, because a pull-through cache rule has its prefix; the rule for
        all other names does not count.
        """

    @reads
    def list_repositories(self) -> tuple[Repository, ...]:
        """All repositories of the account's registry."""

    @reads
    def list_images(self, repository: str) -> Iterator[ImagePage]:
        """All images of a repository, in pages of up to 1,000, in no particular order.

        Raises:
            RepositoryNotFound: No such repository.
        """

    @reads
    def find_image(self, repository: str, reference: str) -> Image | None:
        """The image that a tag or digest names, or None.

        Raises:
            RepositoryNotFound: No such repository.
        """

    @reads
    def read_indexes(self, repository: str, digests: Sequence[str]) -> dict[str, tuple[Child, ...]]:
        """The children of each of these manifests, by digest: empty if it is not an index; left out if it cannot be read.

        ECR counts it as a pull of each.

        Raises:
            RepositoryNotFound: No such repository.
        """

    def change_repository(
        self, name: str, *, tag_rule: TagRule | None = None, scan_on_push: bool | None = None
    ) -> None:
        """Change the settings that are given.

        Raises:
            RepositoryNotFound: No such repository.
        """

    @reads
    def find_lifecycle_policy(self, name: str) -> str | None:
        """The repository's lifecycle policy as JSON text, or None."""

    def set_lifecycle_policy(self, name: str, policy: str) -> None:
        """Set the repository's lifecycle policy.

        Raises:
            RepositoryNotFound: No such repository.

            RegistryError: ECR refused the policy.
        """

    @reads
    def find_repository_policy(self, name: str) -> str | None:
        """The policy that says who else may use the repository, as JSON text, or None.

        Raises:
            RepositoryNotFound: No such repository.
        """

    @reads
    def preview_lifecycle_policy(self, name: str, policy: str) -> tuple[Expiry, ...]:
        """What ECR would expire if the policy were set; nothing is deleted.

        Raises:
            RepositoryNotFound: No such repository.

            RegistryError: ECR refused the policy, or another preview of the repository is in progress.
        """

    def delete_repository(self, name: str, *, with_images: bool) -> None:
        """Delete the repository.

        Raises:
            RepositoryNotFound: No such repository.

            RegistryError: It holds images, and `with_images` is not set.
        """

    def tag_image(self, repository: str, digest: str, tag: str) -> None:
        """Set a tag on an image of the repository, without pulling it.

        Raises:
            ImageNotFound: The repository has no such image.

            TagImmutable: The tag names another image and must not move.
        """

    def delete_images(self, repository: str, digests: Sequence[str]) -> dict[str, str]:
        """Delete images by digest, with all their tags.

        Returns:
            Why ECR kept an image, by digest; images that no longer exist are not among them.
        """

    @reads
    def find_findings(self, repository: str, digest: str) -> Findings | None:
        """What a scan found in an image; None if it was never scanned."""
