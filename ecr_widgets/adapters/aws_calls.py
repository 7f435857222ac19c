"""Calls to AWS that raise our own errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from ecr_widgets.adapters.http import of_time
from ecr_widgets.errors import AuthorizationError, EcrWidgetsError, InputError, SettingsError
from ecr_widgets.model.amounts import age

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
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
_WRONG_TIME = frozenset(
    ("403", "InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch")
)
"""What AWS says if the clock of the signer is wrong, among other things; 403 to a question that only has a status."""
_LARGEST_SKEW = timedelta(minutes=4)
"""AWS's services take 5 or 15 minutes."""
_UNKNOWN_HERE = frozenset(("InvalidClientTokenId", "UnrecognizedClientException"))
"""The key is unknown in this region: also what a region answers that the account has not enabled."""
_THROTTLED = frozenset(
    ("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException")
)
NO_IDENTITY = (
    aws.NoCredentialsError,
    aws.CredentialRetrievalError,
    aws.SSOError,
    aws.TokenRetrievalError,
    aws.RefreshWithMFAUnsupportedError,
    # Of `aws login`, which older versions do not know.
    getattr(aws, "LoginError", aws.SSOError),
)
NO_ANSWER = (aws.HTTPClientError, aws.ConnectionError)
_NOT_SENT = (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ProxyConnectionError)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of refusal: a text in its code or message, and what it means here."""

    says: str
    error: Callable[..., EcrWidgetsError]
    hint: str


@dataclass(frozen=True, slots=True)
class AwsErrors:
    """Which of our errors the failures of one AWS service become."""

    unavailable: Callable[..., EcrWidgetsError]
    """If there was no usable answer."""
    refused: Callable[..., EcrWidgetsError]
    """If no entry of `refusals` matches."""
    refusals: tuple[Refusal, ...] = ()
    """Refusals with their own error; the first match is used."""

    def translated(self, action: str, call: Callable[[], T]) -> T:
        """Call, and turn whatever botocore raises into one of our errors.

        Args:
            action: IAM action that the call needs; named in messages.
        """
        try:
            return call()
        except (aws.BotoCoreError, aws.ClientError) as error:
            raise _translate(self, action, error) from error
        except (ResponseParserError, AttributeError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, EcrWidgetsError):
                raise
            # boto3 returns whatever a 200 response holds; a proxy's page has none of the members.
            raise self.unavailable(
                f"what answered {action} is not AWS: {type(error).__name__} {' '.join(str(error).split())}",
                hint="check AWS_ENDPOINT_URL, and any proxy on the way",
            ) from error


def is_throttled(error: BaseException | None) -> bool:
    """Whether AWS refused a call because there were too many; it did nothing then."""
    return isinstance(error, aws.ClientError) and _code(error) in _THROTTLED


def may_be_done(error: BaseException | None) -> bool:
    """Whether AWS may have done what a failed call asked for."""
    if isinstance(error, aws.ClientError):
        return _status(error) >= 500 and not is_throttled(error)
    if isinstance(error, aws.SSLError):
        # Other TLS errors may come after the request went out; this one comes before.
        return "certificate verify failed" not in str(error)
    if isinstance(error, aws.BotoCoreError):
        return isinstance(error, NO_ANSWER) and not isinstance(error, _NOT_SENT)
    # The answer did not come from AWS.
    return isinstance(error, ResponseParserError | AttributeError | LookupError | TypeError | ValueError)


def settings_error(error: Exception) -> EcrWidgetsError:
    """The error for a client that could not be made."""
    what = " ".join(str(error).split())
    if isinstance(error, aws.MissingDependencyException):
        return SettingsError(
            f"a package that this AWS profile needs is missing: {what}", hint="pip install 'botocore[crt]'"
        )
    return SettingsError(
        f"the AWS settings cannot be used: {what}",
        hint="check the AWS_… variables, such as AWS_PROFILE and AWS_ENDPOINT_URL, and AWS's config files",
    )


def _translate(errors: AwsErrors, action: str, error: Exception) -> EcrWidgetsError:
    if isinstance(error, aws.ClientError):
        return _refusal(errors, action, error)
    if isinstance(error, aws.NoRegionError):
        return SettingsError("no AWS region is set", hint="set AWS_REGION, or a region in your profile")
    if isinstance(error, aws.ParamValidationError):
        return InputError(f"{action} refused: {' '.join(str(error).split())}")
    if isinstance(error, NO_IDENTITY):
        if getattr(error, "kwargs", {}).get("provider") == "custom-process":
            # The error contains what it wrote to stderr, which may be secret.
            return AuthorizationError(
                f"no AWS identity for {action}: the credential_process of this profile failed",
                hint="run it by hand: it has to print one JSON object with Version, AccessKeyId and SecretAccessKey",
            )
        return AuthorizationError(
            f"no AWS identity for {action}: {error}", hint="set AWS_PROFILE, or log in to it"
        )
    if isinstance(error, aws.SSLError):
        hint = f"{of_time(error)}if a proxy re-signs connections, name its authority's certificates in AWS_CA_BUNDLE"
    elif isinstance(error, aws.ProxyConnectionError):
        hint = "check HTTPS_PROXY and NO_PROXY"
    elif isinstance(error, NO_ANSWER):
        hint = "check the network, AWS_REGION and AWS_ENDPOINT_URL"
    else:
        return settings_error(error)
    return errors.unavailable(f"{action} got no answer: {error}", hint=hint, retryable=True)


def _refusal(errors: AwsErrors, action: str, error: aws.ClientError) -> EcrWidgetsError:
    details: Any = error.response.get("Error", {})
    code, status = _code(error), _status(error)
    why = f"{code} {details.get('Message', '')}".strip()
    if code in _REFUSED or status in (401, 403):
        hint = f"renew the login of your profile, or have {action} allowed for it"
        if wrong := wrong_clock(error):
            hint = f"{wrong}: set it, then run again"
        elif code in _UNKNOWN_HERE:
            hint += "; where the region has to be enabled, have that done for the account"
        return AuthorizationError(f"AWS refused {action}: {why}", hint=hint)
    if code in _THROTTLED or status >= 500:
        return errors.unavailable(f"{action} failed: {why}", hint="try again later", retryable=True)
    known = next((each for each in errors.refusals if each.says in why), None)
    if known is not None:
        # "RepositoryNotFoundException The repository … does not exist" says the same twice.
        is_said = code.endswith("NotFoundException") and details.get("Message")
        return known.error(f"{action} failed: {details['Message'] if is_said else why}", hint=known.hint)
    return errors.refused(f"{action} failed: {why}")


def wrong_clock(error: aws.ClientError) -> str:
    """How far this machine's clock is from AWS's, if that is why a signature was refused; else empty."""
    if _code(error) not in _WRONG_TIME:
        return ""
    try:
        theirs = parsedate_to_datetime(error.response["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, ValueError):
        return ""
    # The machine's own: requests are signed with it.
    ahead = datetime.now(UTC) - theirs
    if abs(ahead) < _LARGEST_SKEW:
        return ""
    return (
        f"this machine's clock is {age(abs(ahead))} {'ahead of' if ahead > timedelta() else 'behind'} AWS's"
    )


def _code(error: aws.ClientError) -> str:
    details: Any = error.response.get("Error", {})
    return str(details.get("Code", ""))


def _status(error: aws.ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
