"""Which deploy target a name belongs to."""

from __future__ import annotations

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.connections import LiveConnections
from ecr_widgets.secrets.redaction import SecretRegistry
from ecr_widgets.settings import Settings

ENVIRON = {"LAYER0_API_ENDPOINT": "https://layer0.test", "LAYER0_AUTH_TOKEN": "dG9rZW4="}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("demo", Layer0Api),
        ("ecs:demo", BotoEcs),
        ("arn:aws:ecs:us-east-1:111222333444:cluster/demo", BotoEcs),
        ("arn:aws:ecs:us-east-1:111222333444:task/demo/1f", BotoEcs),
    ],
)
def test_a_name_says_which_deploy_target_it_is_of(name: str, kind: type) -> None:
    """The name of an environment, or the id of something in one, decides the deploy target without contacting it."""
    settings = Settings.from_environment(ENVIRON)
    to = LiveConnections(settings, SecretRegistry(), None, run_id="run-1", environ={}, wait_s=0)
    assert type(to.services_of(name)) is kind
    assert to.services_of(name) is to.services_of(name)
