"""One authorization token for the account's registry, kept for as long as it is good."""

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
    """The one holder of the authorization token; asks for a new one when half of its life is over.

    Where the clock cannot be right it waits for the registry's refusal instead.
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
        """Which registry the token is for; AWS is asked for account and region only where its host does not tell."""
        host = self.token().registry
        self._id = self._id or registry_id_of(host)
        if self._id is None:
            # Without them no other name of the registry is known, which is refused or kept where it matters.
            with suppress(EcrWidgetsError):
                self._id = self.ecr.registry_id()
        return OwnRegistry(host, self._id)

    def repository(self, name: str) -> str:
        """A repository as a person names it, as the registry does: without the registry's host, where it has that in front.

        Raises:
            InvalidReference: It begins with another registry's host.
        """
        return repository_name(
            name, self.registry, exists=lambda each: self.ecr.find_repository(each) is not None
        )

    def token(self) -> AuthorizationToken:
        """The token in hand where it is fresh, else a new one."""
        if self._token is None or (self._clock_is_right and not self._token.is_fresh_at(self.clock.now())):
            return self.renew()
        return self._token

    def renew(self) -> AuthorizationToken:
        """Ask for a new token, whatever the clock says of the old one."""
        token = self.ecr.authorization_token()
        # Known as a secret before anything can print it.
        self._on_secret(token.password)
        self._token = token
        # A new token that seems stale, or to live for far less than ECR's 12 hours, shows a wrong clock, here or
        # there. The registry's word alone counts then; asking before each call would be a loop.
        self._clock_is_right = token.expires_at - token.issued_at >= _BELIEVABLE_LIFE and token.is_fresh_at(
            self.clock.now()
        )
        return token

    def use(self, call: Callable[[AuthorizationToken], T]) -> T:
        """Make a call with the token, and once more with a new one where the registry refused it.

        The registry's word decides, not the clock: a token that looks valid may be refused, and one renewal is the most.
        """
        return self.for_step().use(call)

    def for_step(self) -> StepSession:
        """The same for all calls of one step: one renewal is the most for all of them together."""
        return StepSession(self)


class StepSession:
    """What a step of several calls uses the token through; from `RegistrySession.for_step`."""

    def __init__(self, session: RegistrySession) -> None:
        self._session = session
        self._may_renew = True

    def use(self, call: Callable[[AuthorizationToken], T]) -> T:
        """Make a call as `RegistrySession.use` does, but renew the token only where this step did not yet."""
        try:
            return call(self._session.token())
        except AuthorizationError:
            if not self._may_renew:
                raise
            self._may_renew = False
            return call(self._session.renew())
