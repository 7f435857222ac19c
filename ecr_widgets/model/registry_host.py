"""Which registry a host is. An ECR registry has many names; account and region tell whether two are the same.

Source: Amazon ECR user guide, "Amazon ECR private registry" (endpoints by partition, FIPS, dual-stack), "VPC endpoints";
Docker's `distribution/reference` for what a name without a host means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum

from ecr_widgets.errors import InvalidReference, RegistryError
from ecr_widgets.model.image_reference import ImageReference, check_repository_name
from ecr_widgets.model.loopback import is_loopback

_SUFFIX = (
    r"(?:amazonaws\.(?:com(?:\.cn)?|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov"
    r"|on\.(?:aws(?:\.ic\.gov|\.scloud|\.hci\.ic\.gov)?|cloud-aws\.adc-e\.uk|amazonwebservices\.(?:com\.cn|eu)))"
)
_ECR_HOST = re.compile(
    rf"(?:(\d{{12}})\.)?(?:vpce-[a-z0-9-]+\.)?dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?{_SUFFIX}",
    re.ASCII,
)
_HTTPS_PORT = ":443"
_PORT = re.compile(r":\d+$", re.ASCII)
_OTHERS = re.compile(
    r"docker\.io|(?:index|registry-1)\.docker\.io|public\.ecr\.aws|ecr-public\.aws\.com|ghcr\.io|quay\.io"
    r"|(?:[a-z]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev|registry\.k8s\.io|mcr\.microsoft\.com|[a-z0-9]+\.azurecr\.io"
    r"|registry\.gitlab\.com",
    re.ASCII,
)
"""Well-known registries that are not any account's ECR registry."""


@dataclass(frozen=True, slots=True)
class RegistryId:
    """An ECR registry: one account in one region."""

    account: str
    region: str

    def __str__(self) -> str:
        return f"account {self.account} in {self.region}"


class Sameness(Enum):
    """Whether a host is the registry in question."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"
    """It may be an alias, a tunnel or a proxy: the name does not say."""


def registry_id_of(host: str) -> RegistryId | None:
    """Account and region in an ECR host name: plain, dual-stack, FIPS or VPC endpoint, in any partition.

    >>> registry_id_of("111222333444.dkr-ecr.eu-west-1.on.aws")
    RegistryId(account='111222333444', region='eu-west-1')
    """
    match = _ECR_HOST.fullmatch(_plain(host))
    return RegistryId(match[1], match[2]) if match and match[1] else None


@dataclass(frozen=True, slots=True)
class OwnRegistry:
    """The registry that a token is for."""

    host: str
    """ECR's name for it: the one name that our images go by."""
    id: RegistryId | None
    """None if neither the host nor AWS says."""

    def sameness(self, host: str | None) -> Sameness:
        """Whether a reference with that host means this registry; None is Docker Hub."""
        if host is None or _OTHERS.fullmatch(_plain(host)):
            return Sameness.OTHER
        if _plain(host) == _plain(self.host):
            return Sameness.SAME
        match = _ECR_HOST.fullmatch(_plain(host))
        if match is None or self.id is None:
            return Sameness.UNKNOWN
        account, region = match[1], match[2]
        if region != self.id.region or account not in (None, self.id.account):
            return Sameness.OTHER
        # An endpoint's name alone does not say whose registry is behind it.
        return Sameness.SAME if account else Sameness.UNKNOWN

    def own(self, image: ImageReference, *, of: str | None = None) -> ImageReference:
        """A reference that a person gave, rewritten to this registry's own name; without a host it means this registry.

        Args:
            of: What was given, for the message.

        Raises:
            InvalidReference: It names another registry, or a host whose registry is unknown.
        """
        if image.registry is not None and self.sameness(image.registry) is not Sameness.SAME:
            raise self.refusal(image.registry, of or str(image))
        check_repository_name(image.repository)
        return replace(image, registry=self.host)

    def refusal(self, host: str, given: str) -> InvalidReference:
        """The error for a host that is not this registry."""
        this = self.host if self.id is None else f"{self.host} ({self.id})"
        other = registry_id_of(host)
        return InvalidReference(
            f"{given!r} refused: {host} is not the registry that is used here, {this}",
            hint=f"to go there, use an AWS profile of account {other.account} with region {other.region} (AWS_PROFILE,"
            " AWS_REGION; for the target of a copy --to-profile, --to-region)"
            if other
            else f"leave the host out, or begin with {self.host}/ if a repository here has that name",
        )


def host_in(repository: str) -> str | None:
    """The part before the first slash if it looks like a host, else None; capitals alone make an invalid name, not a host."""
    first, slash, _ = repository.partition("/")
    is_host = any(mark in first for mark in ".:") or first.lower() == "localhost"
    return first if slash and is_host else None


def repository_name(
    name: str,
    own: Callable[[], OwnRegistry],
    *,
    exists: Callable[[str], bool],
    creates_on_pull: Callable[[str], bool],
) -> str:
    """The registry's name for a repository that a person named: without the registry's own host in front.

    A name that begins like another registry's host is valid only if a repository with exactly that name exists, as in
    mirrors of other registries, or its first pull creates it.

    Args:
        own: Returns the registry; called only if the name begins like a host.

        exists: Whether the registry has a repository with a name.

        creates_on_pull: Whether the first pull from it creates it. If that may not be asked, it does not.

    Raises:
        InvalidReference: It begins with another registry's host.
    """
    host = host_in(name)
    if host is None or "://" in name:
        return name  # if it is not a name at all, the caller refuses it
    registry = own()
    if registry.sameness(host) is Sameness.SAME:
        return check_repository_name(name.partition("/")[2])
    if ":" not in host and host.lower() != "localhost" and not _ECR_HOST.fullmatch(_plain(host)):
        with suppress(InvalidReference):
            if exists(check_repository_name(name)):
                return name
            with suppress(RegistryError):
                if creates_on_pull(name):
                    return name
    raise registry.refusal(host, name)


def _plain(host: str) -> str:
    """The host in a form to compare: lower case, without https's port 443, one name for the loopback interface."""
    lower = host.lower()
    if is_loopback(lower):
        port = _PORT.search(lower)
        return f"127.0.0.1{port[0] if port else ''}"
    return lower.removesuffix(_HTTPS_PORT)
