"""An AWS session and its clients, from the settings that the AWS SDKs read; wrong settings are reported before any call.

A user's `credential_process` or single sign-on may fail in any way; here each failure becomes one line.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

import boto3
from botocore import UNSIGNED
from botocore import exceptions as aws
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.session import get_session
from botocore.utils import parse_timestamp

from ecr_widgets.adapters.aws_calls import NO_ANSWER, NO_IDENTITY, settings_error
from ecr_widgets.adapters.credential_process import limit
from ecr_widgets.adapters.http import bundles
from ecr_widgets.errors import AuthorizationError, EcrWidgetsError, SettingsError
from ecr_widgets.model.loopback import is_loopback


class AwsSession:
    """What the adapters need from boto3; the session is made and its identity found at first use.

    Args:
        given: An existing session; None to make one.

        profile: AWS profile; None for the one that the environment names.

        region: AWS region; None for the profile's own.

        on_secret: Called with the secret parts of the identity before they are first used.
    """

    def __init__(
        self,
        given: boto3.Session | None,
        *,
        profile: str | None,
        region: str | None,
        on_secret: Callable[[str], None],
    ) -> None:
        self._given = given
        self._profile, self._region = profile, region
        self._on_secret = on_secret

    def client(
        self,
        service: str,
        *,
        region: str | None = None,
        attempts: int = 4,
        connect_timeout_s: float = 5.0,
        validates: bool = True,
        own: Config | None = None,
    ) -> Any:
        """A boto3 client whose identity is known.

        Args:
            region: Another region than the session's.

            attempts: Most attempts of a call whose answer is lost or that is throttled.

            validates: Whether the installed botocore checks the parameters against its own model.

            own: The caller's own configuration; it overrides all of this.

        Raises:
            SettingsError: The profile, region, keys or addresses cannot be used as they are set.

            AuthorizationError: There is no identity, or AWS refused it.
        """
        # `standard` retries throttling and lost connections, with back-off and a cap, but nothing that was refused.
        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=connect_timeout_s,
            read_timeout=30,
            parameter_validation=validates,
        ).merge(own or Config())
        try:
            return self._client(service, region, config)
        except (aws.ClientError, aws.NoRegionError, *NO_IDENTITY, *NO_ANSWER):
            raise  # the caller names the action
        except (aws.BotoCoreError, OSError, ValueError) as error:
            if isinstance(error, EcrWidgetsError):
                raise
            raise settings_error(error) from error

    def load(self, *services: str) -> None:
        """Have the session read its data on these services, so that their clients are quick to make."""
        for service in services:
            # Unsigned, so that no identity is looked up: that may start a program or prompt the user.
            self.session.client(service, config=Config(signature_version=UNSIGNED))  # type: ignore[call-overload]

    def _client(self, service: str, region: str | None, config: Config) -> Any:
        session = self.session
        if not region and session.region_name == "":
            # An empty variable names none, like one that is not set; botocore would make an address of it.
            raise aws.NoRegionError
        self._find_identity()
        found = bundles()
        # boto3 reads the other two variables by itself.
        verify = found.get("SSL_CERT_FILE") if len(found) == 1 else None
        client = session.client(service, region_name=region, config=config, verify=verify)  # type: ignore[call-overload]
        address = urlsplit(client.meta.endpoint_url)
        _check_address(address)
        if is_loopback(address.netloc) and getproxies():
            direct = config.merge(Config(proxies={}))
            client = session.client(service, region_name=region, config=direct, verify=verify)  # type: ignore[call-overload]
        client.meta.events.register_first("before-sign", self._share_identity)
        return client

    @cached_property
    def session(self) -> boto3.Session:
        """The session for the profile and region that are set."""
        if self._given is not None:
            return self._given
        region = self._region
        if region is None and self._profile is None:
            # The AWS SDKs and the `aws` command read this variable; boto3 does not.
            region = os.environ.get("AWS_REGION") or None
        core = get_session()
        core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
        return boto3.Session(botocore_session=core, profile_name=self._profile, region_name=region)

    def _share_identity(self, **_: object) -> None:
        # At each signing, since temporary keys change during a run.
        credentials = self.session.get_credentials()
        if credentials is not None:
            self._share(credentials.get_frozen_credentials())

    def _share(self, frozen: ReadOnlyCredentials) -> None:
        for secret in (frozen.secret_key, frozen.token):
            if secret:
                self._on_secret(secret)

    def _find_identity(self) -> None:
        """Find the identity and check its keys; a failure names the setting that it came from."""
        try:
            if self._given is None:
                limit(self.session._session.get_component("credential_provider"))
            credentials = self.session.get_credentials()
            frozen = credentials.get_frozen_credentials() if credentials is not None else None
        except (aws.BotoCoreError, aws.ClientError, EcrWidgetsError):
            raise
        except Exception as error:
            raise _no_identity(self.session, error) from error
        if frozen is None:
            return  # botocore reports it at the first call
        self._share(frozen)
        for what, value in (
            ("access key", frozen.access_key),
            ("secret key", frozen.secret_key),
            ("session token", frozen.token),
        ):
            if value and not isinstance(value, str):
                raise _no_identity(self.session, TypeError(f"the {what} is not text"))
            # Usually a file's trailing newline was read along with the value.
            if value and (not value.isascii() or not value.isprintable() or value != value.strip()):
                raise SettingsError(
                    f"the {what} of the AWS identity holds a space, a line end or another character that no key has",
                    hint="set it again, without quotes, spaces or line breaks around it",
                )


def _no_identity(session: boto3.Session, error: Exception) -> EcrWidgetsError:
    profile = session.profile_name
    settings = session._session.get_scoped_config()
    name = type(error).__name__
    if settings.get("mfa_serial") and isinstance(error, (EOFError, RuntimeError, OSError, Warning)):
        return AuthorizationError(
            f"profile {profile!r} asks for an MFA code, which cannot be typed here",
            hint="get temporary keys in a terminal first (aws sts get-session-token), or use a profile without MFA",
        )
    program = str(settings.get("credential_process", "")).partition(" ")[0]
    if program:
        # What it printed may be secret, so only its kind of failure is shown.
        return SettingsError(
            f"credential_process {program!r} of profile {profile!r} gave no identity: {name}",
            hint="run it by hand: it has to print one JSON object with Version, AccessKeyId and SecretAccessKey",
        )
    file = getattr(error, "filename", None)
    why = f"{file!r} cannot be read" if file else name
    return SettingsError(
        f"the AWS identity of profile {profile!r} cannot be used: {why}",
        hint="check AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE and AWS's config files; `aws sts get-caller-identity` says more",
    )


def _check_address(address: SplitResult) -> None:
    scheme, host = address.scheme, address.netloc
    if "@" in host:
        raise SettingsError(
            "the AWS endpoint's address holds a user or password",
            hint="leave it out of AWS_ENDPOINT_URL; AWS takes keys only",
        )
    try:
        usable = scheme in ("http", "https") and address.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"the AWS endpoint's address cannot be used: {scheme}://{host}",
            hint="write an https address without spaces in AWS_ENDPOINT_URL",
        )
    if scheme != "https" and not is_loopback(host):
        raise SettingsError(
            f"AWS requests are not sent over plain http to {host}: keys and tokens could be read on the way",
            hint="use an https address in AWS_ENDPOINT_URL",
        )


def _moment(value: Any) -> datetime:
    """Parse a time to UTC; botocore looks up the local time zone for each, which is half of the work on a list of images."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        return parse_timestamp(value).astimezone(UTC)
    except (OverflowError, OSError, RuntimeError) as error:
        raise ValueError(f"{value!r:.40} is not a time") from error
