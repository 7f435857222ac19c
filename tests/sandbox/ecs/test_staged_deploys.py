"""Deploys in stages, by the kit's own calls: what a wait shows on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.kit import Kit
from ecr_widgets.ports import Progress
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.sandbox.ecs.adapted import adapted, release, write_document


@dataclass
class Watched(QuietSink):
    """What is shown of waits."""

    texts: list[str] = field(default_factory=list)

    def open(self, record: Any) -> Watched:
        return self

    def progress(self, observed: Progress) -> None:
        self.texts.append(observed.message)


@pytest.mark.parametrize(
    ("configuration", "shares"),
    [
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}, ["100"]),
        (
            {
                "strategy": "LINEAR",
                "linearConfiguration": {"stepPercent": 50, "stepBakeTimeInMinutes": 1},
                "bakeTimeInMinutes": 1,
            },
            ["50", "100"],
        ),
        (
            {
                "strategy": "CANARY",
                "canaryConfiguration": {"canaryPercent": 2.5, "canaryBakeTimeInMinutes": 1},
                "bakeTimeInMinutes": 1,
            },
            ["2.5", "100"],
        ),
    ],
    ids=["blue/green", "linear", "canary"],
)
def test_a_wait_shows_the_stage_and_the_share_of_the_traffic(
    configuration: dict[str, Any], shares: list[str], tmp_path: Path
) -> None:
    """From DescribeServiceDeployments; at the end the deploy has all of it and is verified."""
    write_document(tmp_path)
    (tmp_path / "service.json").write_text(json.dumps({"deploymentConfiguration": configuration}))
    with adapted() as to:
        release(to.kit(tmp_path), to.image("blue"), service_file="service.json")
        shown = Watched()
        kit = Kit(to, Recorder("run-2", to.clock, shown), files=(tmp_path,))
        proof = release(kit, to.image("green"))
    ours = [each.partition("web:2 ")[2].split(", ")[1:] for each in shown.texts if "% of the traffic" in each]
    seen = [stage_and_share for stage_and_share, _ in groupby(ours, key=lambda each: tuple(each[:2]))]
    traffic = [share for stage, share in seen if stage in ("production traffic shift", "bake time")]
    assert list(dict.fromkeys(traffic)) == [f"{each} % of the traffic" for each in shares]
    assert proof.deploy_id == "web:2"
