"""Links between environments."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.steps.create_environment import CreateEnvironment
from ecr_widgets.steps.link_environments import LinkEnvironments
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes.connections import perform


def test_links_are_made_and_taken_away_once(outside: Outside) -> None:
    """Links are made and removed once each, and an environment cannot be linked to itself."""
    perform(CreateEnvironment("prod"), outside)
    changed = [
        perform(LinkEnvironments("demo", "prod", linked=linked), outside).changed
        for linked in (True, True, False, False)
    ]
    assert changed == [True, False, True, False]
    with pytest.raises(InputError, match="to itself"):
        perform(LinkEnvironments("demo", "demo"), outside)
