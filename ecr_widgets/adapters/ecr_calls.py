"""A call to AWS whose failures are our errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from botocore import exceptions as aws
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

T = TypeVar("T")

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
NO_IDENTITY = (
    aws.NoCredentialsError,
    aws.CredentialRetrievalError,
    aws.SSOError,
    aws.TokenRetrievalError,
    aws.RefreshWithMFAUnsupportedError,
)
NO_ANSWER = (aws.HTTPClientError, aws.ConnectionError)


def translated(action: str, call: Callable[[], T]) -> T:
    """Call, and raise whatever botocore raises as one of our errors.

    Args:
        action: IAM action that the call needs; named in messages.
    """
    try:
        return call()
    except (aws.BotoCoreError, aws.ClientError) as error:
        raise _translate(action, error) from error
    except (ResponseParserError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, EcrWidgetsError):
            raise
        # boto3 returns whatever a 200 holds; a proxy's page has none of the members.
        raise RegistryUnavailable(
            f"what answered {action} is not AWS: {type(error).__name__} {' '.join(str(error).split())}",
            hint="check AWS_ENDPOINT_URL, and any proxy on the way",
        ) from error


def settings_error(error: Exception) -> EcrWidgetsError:
    """What kept a client from being made: it was not asked for anything but its identity yet."""
    what = " ".join(str(error).split())
    if isinstance(error, aws.MissingDependencyException):
        return SettingsError(
            f"a package that this AWS profile needs is missing: {what}", hint="pip install 'botocore[crt]'"
        )
    return SettingsError(
        f"the AWS settings cannot be used: {what}", hint="check AWS_PROFILE and AWS's config files"
    )


def _translate(action: str, error: Exception) -> EcrWidgetsError:
    if isinstance(error, aws.ClientError):
        return _refusal(action, error)
    if isinstance(error, aws.NoRegionError):
        return SettingsError("no AWS region is set", hint="set AWS_REGION, or a region in your profile")
    if isinstance(error, aws.ParamValidationError):
        return InputError(f"{action} refused: {' '.join(str(error).split())}")
    if isinstance(error, NO_IDENTITY):
        return AuthorizationError(
            f"no AWS identity for {action}: {error}", hint="set AWS_PROFILE, or log in to it"
        )
    if isinstance(error, aws.SSLError):
        hint = "if a proxy re-signs connections, name its authority's certificates in AWS_CA_BUNDLE"
    elif isinstance(error, aws.ProxyConnectionError):
        hint = "check HTTPS_PROXY and NO_PROXY"
    elif isinstance(error, NO_ANSWER):
        hint = "check the network, AWS_REGION and AWS_ENDPOINT_URL"
    else:
        return settings_error(error)
    return RegistryUnavailable(f"{action} got no answer: {error}", hint=hint, retryable=True)


def _refusal(action: str, error: aws.ClientError) -> EcrWidgetsError:
    details: Any = error.response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _REFUSED or status in (401, 403):
        return AuthorizationError(
            f"AWS refused {action}: {code} {message}".rstrip(),
            hint=f"renew the login of your profile, or have {action} allowed for it",
        )
    if code == "RepositoryNotFoundException":
        return RepositoryNotFound(f"{action} failed: {message}", hint="check the name and the region")
    if code == "KmsException":
        return RegistryError(
            f"{action} failed: {code} {message}".rstrip(),
            hint="the key must be in the repository's region, enabled, and yours to use: kms:DescribeKey, kms:CreateGrant",
        )
    if code in _THROTTLED or status >= 500:
        return RegistryUnavailable(
            f"{action} failed: {code} {message}".rstrip(), hint="try again later", retryable=True
        )
    return RegistryError(f"{action} failed: {code} {message}".rstrip())
