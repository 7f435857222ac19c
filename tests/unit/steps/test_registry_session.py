"""The authorization token is kept while it is valid, and renewed once if it is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecr_widgets.errors import AuthorizationError, InvalidReference
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import World


def test_a_token_is_reused_until_half_of_its_life_is_over(outside: Outside, world: World) -> None:
    """A token is reused until half of its lifetime has passed."""
    for _ in range(3):
        outside.session.token()
    world.now += timedelta(hours=6, seconds=1)
    outside.session.token()
    assert world.tokens_issued == 2


def test_what_a_pull_creates_is_the_own_registrys(
    outside: Outside, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name like another registry's host is the own registry's if a pull-through cache rule has its prefix; where rules may not be read, there is none."""
    world.created_on_pull = ("quay.io/",)
    assert outside.session.repository("quay.io/team/app") == "quay.io/team/app"
    with pytest.raises(InvalidReference, match=r"ghcr\.io is not the registry"):
        outside.session.repository("ghcr.io/team/app")

    def refuse(_: str) -> bool:
        raise AuthorizationError("not allowed to perform ecr:DescribePullThroughCacheRules")

    monkeypatch.setattr(outside.ecr, "creates_on_pull", refuse)
    with pytest.raises(InvalidReference, match=r"quay\.io is not the registry"):
        outside.session.repository("quay.io/team/app")


def test_a_step_renews_the_token_once_however_often_it_is_refused(outside: Outside, world: World) -> None:
    """A step renews a refused token only once; the next step may renew it again."""
    step = outside.session.for_step()

    def refuse_first(token: object) -> str:
        asked.append(token)
        if len(asked) % 2:
            raise AuthorizationError("refused")
        return "done"

    asked: list[object] = []
    assert step.use(refuse_first) == "done"
    with pytest.raises(AuthorizationError):
        step.use(refuse_first)
    assert world.tokens_issued == 2
    asked.clear()
    assert outside.session.for_step().use(refuse_first) == "done"
    assert world.tokens_issued == 3
