"""One authorization token for the account's registry, kept as long as it is valid."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from ecr_widgets.errors import AuthorizationError, EcrWidgetsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.registry_host import OwnRegistry, RegistryId, registry_id_of, repository_name
from ecr_widgets.ports import Clock, Ecr

T = TypeVar("T")

_BELIEVABLE_LIFE = timedelta(hours=6)


class RegistrySession:
    """The only holder of the authorization token; requests a new one when half of its lifetime is over.

    If the clock cannot be right, it waits for the registry's refusal instead.
    """

    def __init__(self, ecr: Ecr, clock: Clock, *, on_secret: Callable[[str], None] = lambda _: None) -> None:
        self.ecr = ecr
        """The control plane of the same registry."""
        self.clock = clock
        self._on_secret = on_secret
        self._token: AuthorizationToken | None = None
        self._clock_is_right = True
        self._id: RegistryId | None = None

    def registry(self) -> OwnRegistry:
        """Which registry the token is for; AWS is only asked for account and region if the host does not show them."""
        host = self.token().registry
        self._id = self._id or registry_id_of(host)
        if self._id is None:
            # Without them other names of the registry are not known, and are refused or kept where that matters.
            with suppress(EcrWidgetsError):
                self._id = self.ecr.registry_id()
        return OwnRegistry(host, self._id)

    def repository(self, name: str) -> str:
        """The registry's name for a repository that a person named: without the registry's host, if that is in front.

        Raises:
            InvalidReference: It begins with another registry's host.
        """
        return repository_name(
            name,
            self.registry,
            exists=lambda each: self.ecr.find_repository(each) is not None,
            creates_on_pull=self.ecr.creates_on_pull,
        )

    def token(self) -> AuthorizationToken:
        """The current token if it is fresh, or else a new one."""
        if self._token is None or (self._clock_is_right and not self._token.is_fresh_at(self.clock.now())):
            return self.renew()
        return self._token

    def renew(self) -> AuthorizationToken:
        """Request a new token, whatever the clock says about the old one."""
        token = self.ecr.authorization_token()
        # Registered as a secret before anything can print it.
        self._on_secret(token.password)
        self._token = token
        # If a new token seems stale, or valid for far less than ECR's 12 hours, a clock is wrong, here or there. Then only
        # the registry's refusal counts: otherwise every call would request a new token.
        self._clock_is_right = token.expires_at - token.issued_at >= _BELIEVABLE_LIFE and token.is_fresh_at(
            self.clock.now()
        )
        return token

    def use(self, call: Callable[[AuthorizationToken], T]) -> T:
        """Make a call with the token, and once more with a new one if the registry refused it.

        The registry decides, not the clock: a token that looks valid may be refused. It is renewed at most once.
        """
        return self.for_step().use(call)

    def for_step(self) -> StepSession:
        """The same for all calls of one step: the token is renewed at most once for all of them together."""
        return StepSession(self)


class StepSession:
    """How a step with several calls uses the token; from `RegistrySession.for_step`."""

    def __init__(self, session: RegistrySession) -> None:
        self._session = session
        self._may_renew = True

    def use(self, call: Callable[[AuthorizationToken], T]) -> T:
        """Make a call as `RegistrySession.use` does, but only renew the token if this step has not yet."""
        try:
            return call(self._session.token())
        except AuthorizationError:
            if not self._may_renew:
                raise
            self._may_renew = False
            return call(self._session.renew())
