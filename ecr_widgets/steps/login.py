"""Log in to the account's registry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ecr_widgets.errors import RegistryError
from ecr_widgets.ports import Ecr, ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import RegistrySession
from ecr_widgets.steps.step import Look


@dataclass(frozen=True, slots=True)
class LoginOutcome:
    """What the token gives access to, as whom and until when; the token itself is not part of it."""

    registry: str
    user: str
    account: str | None
    """None if neither STS nor the registry's name shows it."""
    identity: str | None
    """ARN that the calls are made as; None if STS cannot be reached."""
    expires_at: datetime
    warnings: tuple[str, ...] = ()
    """Why the identity is not known."""
    changed: bool = False


@dataclass(frozen=True)
class Login(Look[LoginOutcome]):
    """Log in to the account's registry.

    Raises:
        AuthorizationError: No identity, or it may not request a token.

        RegistryUnavailable: ECR does not answer.
    """

    def look(self, outside: Outside, progress: ProgressSink) -> LoginOutcome:
        return log_in(outside.ecr, outside.session)


def log_in(ecr: Ecr, session: RegistrySession) -> LoginOutcome:
    """Get an authorization token for the account's registry and say whose it is.

    Networks that only reach ECR do not reach STS: then the identity is not known, and nothing needs it.

    Source: Amazon ECR API, GetAuthorizationToken; AWS STS API, GetCallerIdentity.
    """
    token = session.token()
    try:
        identity = ecr.identity()
    except RegistryError as error:
        registry = session.registry().id
        account = registry.account if registry else None
        unknown = (f"who AWS is called as is not known: {error.message}",)
        return LoginOutcome(token.registry, token.user, account, None, token.expires_at, unknown)
    return LoginOutcome(token.registry, token.user, identity.account, identity.arn, token.expires_at)
