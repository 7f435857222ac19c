"""The authorization token: kept for as long as it is good, renewed once where it is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecr_widgets.errors import AuthorizationError
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import World


def test_a_token_is_reused_until_half_of_its_life_is_over(outside: Outside, world: World) -> None:
    """One token serves many calls, and a long-lived notebook asks in time."""
    for _ in range(3):
        outside.session.token()
    world.now += timedelta(hours=6, seconds=1)
    outside.session.token()
    assert world.tokens_issued == 2


def test_a_step_renews_the_token_once_however_often_it_is_refused(outside: Outside, world: World) -> None:
    """What was refused, renewed and refused again in one step is a refusal; the next step may renew again."""
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
