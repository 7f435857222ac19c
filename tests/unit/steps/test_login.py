"""Logging in to the account's registry."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import RegistryUnavailable
from ecr_widgets.steps.login import Login
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import REGISTRY
from tests.fakes.connections import FakeConnections, make_outside, perform


def test_login_names_registry_and_identity_and_shares_the_secret_first(to: FakeConnections) -> None:
    """The outcome names registry and user; the password is only registered as a secret."""
    secrets: list[str] = []
    to.on_secret = secrets.append  # type: ignore[method-assign]
    outcome = perform(Login(), make_outside(to))
    assert (outcome.registry, outcome.user, outcome.account) == (REGISTRY, "AWS", "111222333444")
    assert secrets == ["password-1"]
    assert "password" not in repr(outcome)


def test_login_needs_no_way_to_sts(
    to: FakeConnections, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If STS does not answer, the login succeeds with a warning, and the account is taken from the registry's name."""

    def nobody() -> None:
        raise RegistryUnavailable("sts:GetCallerIdentity got no answer")

    monkeypatch.setattr(to.ecr, "identity", nobody)
    outcome = perform(Login(), outside)
    assert (outcome.account, outcome.identity) == ("111222333444", None)
    assert outcome.warnings == ("who AWS is called as is not known: sts:GetCallerIdentity got no answer",)
