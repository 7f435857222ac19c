"""ECR's authorization token: a user and a password for one registry, for twelve hours."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ecr_widgets.errors import AuthorizationError


@dataclass(frozen=True, slots=True)
class AuthorizationToken:
    """A decoded token. The password never shows in a repr."""

    registry: str
    """Host (and port) that accepts the token, without a scheme."""
    user: str
    password: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime

    @classmethod
    def decode(
        cls, authorization_token: str, *, proxy_endpoint: str, issued_at: datetime, expires_at: datetime
    ) -> AuthorizationToken:
        """Decode GetAuthorizationToken's response.

        Raises:
            AuthorizationError: Not base64 of `user:password`.

        Source: Amazon ECR API, AuthorizationData.
        """
        try:
            user, colon, password = (
                base64.b64decode(authorization_token, validate=True).decode().partition(":")
            )
        except ValueError:  # not ASCII, not base64 or not UTF-8
            user = colon = password = ""
        if not (user and colon and password):
            # The cause would expose the token, so it is left out.
            raise AuthorizationError(
                "the authorization token cannot be decoded: not base64 of user:password"
            ) from None
        registry = proxy_endpoint.partition("://")[2].rstrip("/") or proxy_endpoint
        return cls(registry, user, password, issued_at, expires_at)

    def is_fresh_at(self, moment: datetime) -> bool:
        """Whether more than half of its lifetime is left, enough to start long work with it.

        Not fresh if the clock is behind the time of issue: asking again is cheap, trusting a wrong clock is not.
        """
        half_life: timedelta = (self.expires_at - self.issued_at) / 2
        return self.issued_at <= moment < self.issued_at + half_life
