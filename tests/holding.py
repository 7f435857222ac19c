"""Runs that wait at a moment of one of their steps until a test lets them go on, or kills them there."""

from __future__ import annotations

import os
from pathlib import Path

from tests.faults.forked import AT_FORK

MOMENTS = ("begun", "intended", "acted", "recorded")
"""Before the intent is written; after the look that may correct it, before the change; after the change, before its outcome
is written; after that."""

# This is executed before the run's own code, also in its kernel: no hook is in the product.
HOOK = """
import os, time
from pathlib import Path
from ecr_widgets.recording import recorder

real, place = recorder.Recorder.perform, Path(os.environ["FAULTS_HOLD_AT"])

def hold(moment, *names):
    if place.name in [f"{name}.{moment}" for name in names]:
        place.touch()
        while place.exists():
            time.sleep(0.05)

def perform(self, step, inputs, act):
    def watched(at_work):
        learn = at_work.learn
        def learned(step, inputs):
            learn(step, inputs)
            hold("intended", step)
        at_work.learn = learned
        outcome = act(at_work)
        hold("acted", at_work.record.step)
        return outcome
    # Which of the two it is, its look will tell.
    hold("begun", step, *(["create_service"] if step == "update_service" else []))
    outcome = real(self, step, inputs, watched)
    hold("recorded", self.records[-1].step)
    return outcome

recorder.Recorder.perform = perform
"""
# Switches off what a run does before it stores a deploy: to look whether it stands already.
BLIND = """
from ecr_widgets.adapters.layer0.client import Layer0Api
Layer0Api.list_deploys = lambda *_: ()
"""


def hooked(folder: Path, place: Path, source: str = HOOK, *, forked: bool = False) -> dict[str, str]:
    """Variables for a run that waits at `place`, a path whose name is `<step>.<moment>`.

    The file of that path stands while it waits; removing it lets the run go on.

    Args:
        forked: Whether it is forked, as `tests.faults.forked` does it; Python itself starts the others.
    """
    hook = folder / "hook"
    hook.mkdir(exist_ok=True)
    file = hook / "sitecustomize.py"
    file.write_text(source)
    path = os.pathsep.join(filter(None, (str(hook), os.environ.get("PYTHONPATH"))))
    return {"FAULTS_HOLD_AT": str(place)} | ({AT_FORK: str(file)} if forked else {"PYTHONPATH": path})
