"""ECR's control plane and STS through boto3, which reads profile, region and endpoint from the standard places."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

from ecr_widgets.adapters.aws_session import AwsSession
from ecr_widgets.adapters.ecr_calls import translated
from ecr_widgets.adapters.ecr_upkeep import EcrUpkeep, mutability
from ecr_widgets.errors import ImageNotFound, RegistryError, RegistryUnavailable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.registry import Findings, Identity, Image, ImagePage, Repository
from ecr_widgets.model.registry_host import RegistryId
from ecr_widgets.model.tag_rule import TagRule

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import (
        CreateRepositoryRequestTypeDef,
        EncryptionConfigurationTypeDef,
        ImageDetailTypeDef,
        RepositoryTypeDef,
    )
    from mypy_boto3_sts import STSClient

T = TypeVar("T")

_PAGE = 1000
_MOST_PAGES = 1000
"""Enough for ten times ECR's limit."""
_ALL_NAMES = "ROOT"
"""The prefix of the template for repositories that no other template is for."""


class BotoEcr(EcrUpkeep):
    """Implements `ports.Ecr`; session and clients are made at first use.

    Args:
        session: An existing session; None to make one.

        profile: AWS profile; None for the one that the environment names.

        region: AWS region; None for the profile's own.

        on_secret: Called with the secret parts of the identity before they are first used.

    Raises:
        SettingsError: At the first call: the profile, region or keys cannot be used as they are set.
    """

    def __init__(
        self,
        session: boto3.Session | None = None,
        *,
        profile: str | None = None,
        region: str | None = None,
        on_secret: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._aws = AwsSession(session, profile=profile, region=region, on_secret=on_secret)
        self._no_way_to_sts: RegistryUnavailable | None = None

    @cached_property
    def _ecr(self) -> ECRClient:
        client: ECRClient = self._aws.client("ecr")
        return client

    @cached_property
    def _sts(self) -> STSClient:
        # The identity is useful, but not worth a long wait if STS cannot be reached.
        client: STSClient = self._aws.client("sts", attempts=2, connect_timeout_s=3.0)
        return client

    def load(self) -> None:
        """Load what the first call of each service needs, which takes longer than the call; makes no request."""
        self._aws.load("ecr", "sts")

    def identity(self) -> Identity:
        def call() -> Identity:
            answer = self._sts.get_caller_identity()
            return Identity(answer["Account"], answer["Arn"])

        if self._no_way_to_sts is not None:
            raise self._no_way_to_sts
        try:
            return translated("sts:GetCallerIdentity", call)
        except RegistryUnavailable as error:
            # Wait for its time-outs once, and not at every step.
            self._no_way_to_sts = error
            raise

    def registry_id(self) -> RegistryId:
        return RegistryId(self.identity().account, translated("ecr", lambda: self._ecr.meta.region_name))

    def authorization_token(self) -> AuthorizationToken:
        def call() -> AuthorizationToken:
            asked_at = datetime.now(UTC)
            with _unlogged():
                found = self._ecr.get_authorization_token()["authorizationData"][0]
            return AuthorizationToken.decode(
                found["authorizationToken"],
                proxy_endpoint=found["proxyEndpoint"],
                issued_at=asked_at,
                expires_at=found["expiresAt"],
            )

        return translated("ecr:GetAuthorizationToken", call)

    def find_repository(self, name: str) -> Repository | None:
        def call() -> Repository | None:
            try:
                return _repository(self._ecr.describe_repositories(repositoryNames=[name])["repositories"][0])
            except self._ecr.exceptions.RepositoryNotFoundException:
                return None

        return translated("ecr:DescribeRepositories", call)

    def create_repository(
        self,
        name: str,
        *,
        tags_immutable: bool,
        scan_on_push: bool,
        encryption: Encryption | None = None,
        tag_exceptions: tuple[str, ...] = (),
    ) -> tuple[Repository, bool]:
        asked: CreateRepositoryRequestTypeDef = {
            "repositoryName": name,
            "imageScanningConfiguration": {"scanOnPush": scan_on_push},
        }
        asked |= mutability(TagRule(tags_immutable, tag_exceptions))  # type: ignore[typeddict-item]
        if encryption is not None:
            asked["encryptionConfiguration"] = _configuration(encryption)

        def call() -> tuple[Repository, bool]:
            try:
                return _repository(self._ecr.create_repository(**asked)["repository"]), True
            except self._ecr.exceptions.RepositoryAlreadyExistsException:
                # Another caller created it in the meantime; that is fine.
                return _repository(
                    self._ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
                ), False

        return translated("ecr:CreateRepository", call)

    def creates_on_push(self, name: str) -> bool:
        def page(token: str) -> tuple[bool, str]:
            answer = (
                self._ecr.describe_repository_creation_templates(nextToken=token)
                if token
                else self._ecr.describe_repository_creation_templates()
            )
            covers = any(
                "CREATE_ON_PUSH" in each.get("appliedFor", ())
                and (each["prefix"] == _ALL_NAMES or name.startswith(f"{each['prefix'].rstrip('/')}/"))
                for each in answer["repositoryCreationTemplates"]
            )
            return covers, answer.get("nextToken") or ""

        return any(_pages("ecr:DescribeRepositoryCreationTemplates", page))

    def creates_on_pull(self, name: str) -> bool:
        def page(token: str) -> tuple[bool, str]:
            answer = (
                self._ecr.describe_pull_through_cache_rules(nextToken=token)
                if token
                else self._ecr.describe_pull_through_cache_rules()
            )
            prefixes = (each["ecrRepositoryPrefix"] for each in answer["pullThroughCacheRules"])
            covers = any(name.startswith(f"{each.rstrip('/')}/") for each in prefixes)
            return covers, answer.get("nextToken") or ""

        return any(_pages("ecr:DescribePullThroughCacheRules", page))

    def list_repositories(self) -> tuple[Repository, ...]:
        def page(token: str) -> tuple[tuple[Repository, ...], str]:
            answer = (
                self._ecr.describe_repositories(maxResults=_PAGE, nextToken=token)
                if token
                else self._ecr.describe_repositories(maxResults=_PAGE)
            )
            return tuple(_repository(raw) for raw in answer["repositories"]), answer.get("nextToken") or ""

        return tuple(one for found in _pages("ecr:DescribeRepositories", page) for one in found)

    def list_images(self, repository: str) -> Iterator[ImagePage]:
        yield from _pages("ecr:DescribeImages", partial(self._page, repository))

    def _page(self, repository: str, token: str) -> tuple[ImagePage, str]:
        answer = (
            self._ecr.describe_images(repositoryName=repository, maxResults=_PAGE, nextToken=token)
            if token
            else self._ecr.describe_images(repositoryName=repository, maxResults=_PAGE)
        )
        more = answer.get("nextToken") or ""
        return ImagePage(tuple(_image(raw) for raw in answer["imageDetails"]), is_last=not more), more

    def find_image(self, repository: str, reference: str) -> Image | None:
        def call() -> Image | None:
            try:
                found = self._ecr.describe_images(
                    repositoryName=repository,
                    imageIds=[
                        {"imageDigest": reference}
                        if reference.startswith("sha256:")
                        else {"imageTag": reference}
                    ],
                )["imageDetails"][0]
            except self._ecr.exceptions.ImageNotFoundException:
                return None
            if (status := found.get("imageStatus", "ACTIVE")) != "ACTIVE":
                # Listed by its name alone, never in a list of images.
                raise ImageNotFound(
                    f"image {reference!r} of {repository!r} is not in use: ECR calls it {status}, and refuses to serve it",
                    hint="restore it (aws ecr update-image-storage-class), or push it again",
                )
            return _image(found)

        return translated("ecr:DescribeImages", call)


def _pages(action: str, page: Callable[[str], tuple[T, str]]) -> Iterator[T]:
    """All pages of a list; each request carries the token of the page before."""
    token = ""
    seen: set[str] = set()
    while token not in seen and len(seen) < _MOST_PAGES:
        seen.add(token)
        found, token = translated(action, partial(page, token))
        yield found
        if not token:
            return
    # A partial list must not pass for a whole one, and a server that repeats pages never sends the rest.
    raise RegistryError(
        f"the list returned by {action} does not end: after {len(seen)} pages, "
        + ("one of them again" if token in seen else "still more pages"),
        hint="check AWS_ENDPOINT_URL, and any proxy on the way",
    )


def _image(raw: ImageDetailTypeDef) -> Image:
    # A repository may hold a hundred thousand images: texts that they share are kept once.
    return Image(
        digest=raw["imageDigest"],
        tags=tuple(raw.get("imageTags", ())),
        size_bytes=raw.get("imageSizeInBytes"),
        pushed_at=raw["imagePushedAt"],
        media_type=sys.intern(raw.get("imageManifestMediaType", "")) or None,
        last_pulled_at=raw.get("lastRecordedPullTime"),
        findings=_findings(raw),
        subject=raw.get("subjectManifestDigest") or None,
        artifact_type=sys.intern(raw.get("artifactMediaType", "")) or None,
    )


def _findings(raw: ImageDetailTypeDef) -> Findings | None:
    if "imageScanStatus" not in raw:
        return None
    summary = raw.get("imageScanFindingsSummary", {})
    return Findings(
        raw["imageScanStatus"].get("status", ""),
        {str(severity): count for severity, count in summary.get("findingSeverityCounts", {}).items()},
        summary.get("imageScanCompletedAt"),
    )


def _configuration(encryption: Encryption) -> EncryptionConfigurationTypeDef:
    # Set a key only if there is one: ECR refuses an empty key.
    named: EncryptionConfigurationTypeDef = {"encryptionType": encryption.type}  # type: ignore[typeddict-item]
    if encryption.kms_key is not None:
        named["kmsKey"] = encryption.kms_key
    return named


def _repository(raw: RepositoryTypeDef) -> Repository:
    encryption = raw.get("encryptionConfiguration", {})
    return Repository(
        name=raw["repositoryName"],
        uri=raw["repositoryUri"],
        arn=raw["repositoryArn"],
        registry_id=raw["registryId"],
        created_at=raw["createdAt"],
        tags_immutable=raw.get("imageTagMutability", "MUTABLE").startswith("IMMUTABLE"),
        scan_on_push=raw.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        encryption=encryption.get("encryptionType", "AES256"),
        kms_key=encryption.get("kmsKey") or None,
        tag_exceptions=tuple(
            each["filter"]
            for each in raw.get("imageTagMutabilityExclusionFilters") or ()
            if each.get("filter")
        ),
    )


@contextmanager
def _unlogged() -> Iterator[None]:
    """Turn off botocore's debug log, which writes whole answers before their secrets are registered."""
    loggers = [logging.getLogger(f"botocore.{name}") for name in ("parsers", "endpoint", "hooks", "retries")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
