"""What the steps need of ECR's control plane."""

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
        """Who the calls are made as."""
        ...

    @reads
    def registry_id(self) -> RegistryId:
        """Account and region of the registry that the calls are about."""
        ...

    @reads
    def authorization_token(self) -> AuthorizationToken:
        """A new token for the account's registry."""
        ...

    @reads
    def find_repository(self, name: str) -> Repository | None:
        """The repository, or None where there is none of that name."""
        ...

    def create_repository(
        self,
        name: str,
        *,
        tags_immutable: bool,
        scan_on_push: bool,
        encryption: Encryption | None = None,
        tag_exceptions: tuple[str, ...] = (),
    ) -> tuple[Repository, bool]:
        """The repository, and whether this call made it (False: it existed before, with settings of its own).

        Args:
            encryption: None for ECR's own choice, AES256.

            tag_exceptions: Patterns of the tags for which the opposite of `tags_immutable` holds.

        Raises:
            RegistryError: ECR refused it, such as for a key that is not there or must not be used.
        """
        ...

    @reads
    def list_repositories(self) -> tuple[Repository, ...]:
        """All repositories of the account's registry."""
        ...

    @reads
    def list_images(self, repository: str) -> Iterator[ImagePage]:
        """All images of a repository, a page of up to 1,000 at a time, in no particular order.

        Raises:
            RepositoryNotFound: There is no such repository.
        """
        ...

    @reads
    def find_image(self, repository: str, reference: str) -> Image | None:
        """The image that a tag or digest names, or None.

        Raises:
            RepositoryNotFound: There is no such repository.
        """
        ...

    @reads
    def read_indexes(self, repository: str, digests: Sequence[str]) -> dict[str, tuple[Child, ...]]:
        """What each of these manifests names, by digest: nothing for one that is no index; one that cannot be read is left out.

        ECR takes it for a pull of each.

        Raises:
            RepositoryNotFound: There is no such repository.
        """
        ...

    def change_repository(
        self, name: str, *, tag_rule: TagRule | None = None, scan_on_push: bool | None = None
    ) -> None:
        """Change the settings that are given.

        Raises:
            RepositoryNotFound: There is no such repository.
        """
        ...

    @reads
    def find_lifecycle_policy(self, name: str) -> str | None:
        """The repository's lifecycle policy as JSON text, or None."""
        ...

    def set_lifecycle_policy(self, name: str, policy: str) -> None:
        """Set the repository's lifecycle policy.

        Raises:
            RepositoryNotFound: There is no such repository.

            RegistryError: ECR refused the policy.
        """
        ...

    @reads
    def find_repository_policy(self, name: str) -> str | None:
        """The policy that says who else may use the repository, as JSON text, or None.

        Raises:
            RepositoryNotFound: There is no such repository.
        """
        ...

    @reads
    def preview_lifecycle_policy(self, name: str, policy: str) -> tuple[Expiry, ...]:
        """What ECR would expire if the policy were set; nothing is deleted.

        Raises:
            RepositoryNotFound: There is no such repository.

            RegistryError: ECR refused the policy, or another preview of the repository is under way.
        """
        ...

    def delete_repository(self, name: str, *, with_images: bool) -> None:
        """Delete the repository.

        Raises:
            RepositoryNotFound: There is no such repository.

            RegistryError: It holds images and these must not go with it.
        """
        ...

    def tag_image(self, repository: str, digest: str, tag: str) -> None:
        """Set a tag on an image of the repository, without pulling it.

        Raises:
            ImageNotFound: The repository has no such image.

            TagImmutable: The tag names another image and must not move.
        """
        ...

    def delete_images(self, repository: str, digests: Sequence[str]) -> dict[str, str]:
        """Delete images by digest, all their tags with them.

        Returns:
            Why not, by digest, for those that ECR kept; one that is gone already is not among them.
        """
        ...

    @reads
    def find_findings(self, repository: str, digest: str) -> Findings | None:
        """What a scan found in an image, None where it was never scanned."""
        ...
