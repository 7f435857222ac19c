"""ECR's control plane and STS by boto3, which reads profile, region and endpoint from the standard places."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore import exceptions as aws
from botocore.config import Config
from botocore.parsers import ResponseParserError

from ecr_widgets.errors import (
    AuthorizationError,
    EcrWidgetsError,
    InputError,
    RegistryError,
    RegistryUnavailable,
    RepositoryNotFound,
    SettingsError,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.registry import Identity, Image, Repository

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageDetailTypeDef, RepositoryTypeDef
    from mypy_boto3_sts import STSClient

T = TypeVar("T")

_PAGE = 1000

_REFUSED = frozenset(
    (
        "AccessDeniedException",
        "AccessDenied",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
_THROTTLED = frozenset(
    ("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException")
)
_SETTINGS = (
    aws.ConfigNotFound,
    aws.ConfigParseError,
    aws.InvalidConfigError,
    aws.InvalidRegionError,
    aws.PartialCredentialsError,
    aws.ProfileNotFound,
)


class BotoEcr:
    """Implements `ports.Ecr`; session and clients are made when they are first needed.

    Args:
        on_secret: Told of the secret parts of the identity before they are first used.

    Raises:
        SettingsError: At the first call: profile, region or keys are set in a way that cannot be used.
    """

    def __init__(
        self, session: boto3.Session | None = None, *, on_secret: Callable[[str], None] = lambda _: None
    ) -> None:
        self._given_session = session
        self._on_secret = on_secret
        # `standard` retries throttling and lost connections, with back-off and a cap, and nothing that was refused.
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=30
        )

    @cached_property
    def _session(self) -> boto3.Session:
        return self._given_session or boto3.Session()

    @cached_property
    def _ecr(self) -> ECRClient:
        client = self._session.client("ecr", config=self._config)
        client.meta.events.register_first("before-sign", self._share_identity)
        return client

    @cached_property
    def _sts(self) -> STSClient:
        client = self._session.client("sts", config=self._config)
        client.meta.events.register_first("before-sign", self._share_identity)
        return client

    def _share_identity(self, **_: object) -> None:
        # At each signature, since temporary keys change while a run goes on.
        credentials = self._session.get_credentials()
        if credentials is not None:
            frozen = credentials.get_frozen_credentials()
            for secret in (frozen.secret_key, frozen.token):
                if secret:
                    self._on_secret(secret)

    def identity(self) -> Identity:
        def call() -> Identity:
            answer = self._sts.get_caller_identity()
            return Identity(answer["Account"], answer["Arn"])

        return _translated("sts:GetCallerIdentity", call)

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

        return _translated("ecr:GetAuthorizationToken", call)

    def find_repository(self, name: str) -> Repository | None:
        def call() -> Repository | None:
            try:
                return _repository(self._ecr.describe_repositories(repositoryNames=[name])["repositories"][0])
            except self._ecr.exceptions.RepositoryNotFoundException:
                return None

        return _translated("ecr:DescribeRepositories", call)

    def create_repository(
        self, name: str, *, tags_immutable: bool, scan_on_push: bool
    ) -> tuple[Repository, bool]:
        def call() -> tuple[Repository, bool]:
            try:
                made = self._ecr.create_repository(
                    repositoryName=name,
                    imageTagMutability="IMMUTABLE" if tags_immutable else "MUTABLE",
                    imageScanningConfiguration={"scanOnPush": scan_on_push},
                )
                return _repository(made["repository"]), True
            except self._ecr.exceptions.RepositoryAlreadyExistsException:
                # Somebody else made it between the look and the call: what was wanted stands.
                return _repository(
                    self._ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
                ), False

        return _translated("ecr:CreateRepository", call)

    def list_repositories(self) -> tuple[Repository, ...]:
        def call() -> tuple[Repository, ...]:
            pages = self._ecr.get_paginator("describe_repositories").paginate(
                PaginationConfig={"PageSize": _PAGE}
            )
            return tuple(_repository(raw) for page in pages for raw in page["repositories"])

        return _translated("ecr:DescribeRepositories", call)

    def list_images(self, repository: str) -> Iterator[tuple[Image, ...]]:
        token = ""
        seen: set[str] = set()
        while token not in seen:
            # A server that gives the same token again would never come to an end.
            seen.add(token)
            page, token = _translated("ecr:DescribeImages", partial(self._page, repository, token))
            yield page
            if not token:
                return

    def _page(self, repository: str, token: str) -> tuple[tuple[Image, ...], str]:
        answer = (
            self._ecr.describe_images(repositoryName=repository, maxResults=_PAGE, nextToken=token)
            if token
            else self._ecr.describe_images(repositoryName=repository, maxResults=_PAGE)
        )
        return tuple(_image(raw) for raw in answer["imageDetails"]), answer.get("nextToken") or ""

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
            return _image(found)

        return _translated("ecr:DescribeImages", call)


def _image(raw: ImageDetailTypeDef) -> Image:
    return Image(
        digest=raw["imageDigest"],
        tags=tuple(raw.get("imageTags", ())),
        size_bytes=raw.get("imageSizeInBytes"),
        pushed_at=raw["imagePushedAt"],
        media_type=raw.get("imageManifestMediaType"),
        last_pulled_at=raw.get("lastRecordedPullTime"),
    )


def _repository(raw: RepositoryTypeDef) -> Repository:
    return Repository(
        name=raw["repositoryName"],
        uri=raw["repositoryUri"],
        arn=raw["repositoryArn"],
        registry_id=raw["registryId"],
        created_at=raw["createdAt"],
        tags_immutable=raw.get("imageTagMutability", "MUTABLE").startswith("IMMUTABLE"),
        scan_on_push=raw.get("imageScanningConfiguration", {}).get("scanOnPush", False),
        encryption=raw.get("encryptionConfiguration", {}).get("encryptionType", "AES256"),
    )


@contextmanager
def _unlogged() -> Iterator[None]:
    """Without botocore's debug log, which writes whole answers before anybody knows that they hold a secret."""
    loggers = [logging.getLogger(f"botocore.{name}") for name in ("parsers", "endpoint", "hooks", "retries")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


def _translated(action: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except (aws.BotoCoreError, aws.ClientError) as error:
        raise _translate(action, error) from error
    except (ResponseParserError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, EcrWidgetsError):
            raise
        # boto3 hands out whatever a 200 holds; a proxy's page has none of the members.
        raise RegistryUnavailable(
            f"what answered {action} is not AWS: {type(error).__name__} {error}",
            hint="check AWS_ENDPOINT_URL, and what stands between you and it",
        ) from error


def _translate(action: str, error: Exception) -> EcrWidgetsError:
    if isinstance(error, aws.ClientError):
        return _refusal(action, error)
    if isinstance(error, aws.NoRegionError):
        return SettingsError("no AWS region is set", hint="set AWS_REGION, or a region in your profile")
    if isinstance(error, _SETTINGS):
        return SettingsError(
            f"the AWS settings cannot be used: {error}", hint="check AWS_PROFILE and AWS's config files"
        )
    if isinstance(error, aws.ParamValidationError):
        return InputError(f"{action} refused: {' '.join(str(error).split())}")
    if isinstance(
        error, (aws.NoCredentialsError, aws.CredentialRetrievalError, aws.SSOError, aws.TokenRetrievalError)
    ):
        return AuthorizationError(
            f"no AWS identity for {action}: {error}", hint="set AWS_PROFILE, or log in to it"
        )
    return RegistryUnavailable(
        f"{action} got no answer: {error}",
        hint="check the network, AWS_REGION and AWS_ENDPOINT_URL",
        retryable=True,
    )


def _refusal(action: str, error: aws.ClientError) -> EcrWidgetsError:
    told: Any = error.response.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _REFUSED or status in (401, 403):
        return AuthorizationError(
            f"AWS refused {action}: {code} {message}".rstrip(),
            hint=f"renew the login of your profile, or have {action} allowed for it",
        )
    if code == "RepositoryNotFoundException":
        return RepositoryNotFound(f"{action} failed: {message}", hint="check the name and the region")
    if code in _THROTTLED or status >= 500:
        return RegistryUnavailable(
            f"{action} failed: {code} {message}".rstrip(), hint="try again later", retryable=True
        )
    return RegistryError(f"{action} failed: {code} {message}".rstrip())
