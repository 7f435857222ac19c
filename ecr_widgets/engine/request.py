"""What is to be run, decided before anything starts, and passed on unchanged until it is in the saved file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ecr_widgets.channel import (
    PLAN_VARIABLE,
    POLICY_SHA256_VARIABLE,
    WAIT_VARIABLE,
    is_within_plan,
    outside_a_run,
)
from ecr_widgets.engine.events import RunEvent
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.run import Attempt
from ecr_widgets.run_clock import RUN_CLOCK
from ecr_widgets.settings import POLICY_VARIABLE, RUNS_VARIABLE, policy_path


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is to be made, whatever is run."""

    runs: Place
    """Where runs are saved; steps also look there for earlier runs' proofs."""
    environ: Mapping[str, str]
    wait_s: float = 0.0
    """How long a step waits for a target that another run holds, in seconds."""
    reason: str = ""
    """Why the run is made; becomes the saved notebook's operation note."""
    on_event: Callable[[RunEvent], None] = lambda _: None
    """Called with each event, for people who watch."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run."""

    run_id: str
    runbook: str
    runbook_sha256: str | None
    source: Place
    """Where the notebook was read."""
    content: bytes
    """The notebook as it was read and checked: this is what runs, whatever the file holds by now."""
    parameters: Mapping[str, Any]
    saved: Place
    """The file of the run, or its object in a bucket."""
    options: RunOptions
    folder: Path
    """The cells' working folder, and the base of relative paths."""
    plan: bool = False
    """Whether to make a plan only."""
    approval: Mapping[str, Any] | None = None
    """Who asked for an approval; for an approved run, who requested and who approved it."""
    started_at: datetime | None = None
    """When the run began, if this is not its first attempt."""
    attempts: tuple[Attempt, ...] = ()
    """Records of the attempts before this one."""
    resumes: str | None = None
    """SHA-256 of the saved run that the attempts are from."""

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its kernel."""
        options = self.options
        return kernel_environ(options.environ, runs=options.runs, wait_s=options.wait_s, plan=self.plan)


def kernel_environ(
    environ: Mapping[str, str], *, runs: Place | None, wait_s: float = 0.0, plan: bool = False
) -> dict[str, str]:
    """The environment of a run's kernel: each of the engine's variables is set or removed here.

    Args:
        runs: Where runs are saved; None to keep the environment's value.

    Raises:
        InputError: A plan's cell requests a real run.

        SettingsError: The gate's policy cannot be used.
    """
    if is_within_plan(environ) and not plan:
        raise InputError(
            "the run is refused: a cell of a plan starts it, and a plan changes nothing",
            hint="run it by hand",
        )
    return {
        **outside_a_run(environ),
        **RUN_CLOCK.for_kernel(),
        **({} if runs is None else {RUNS_VARIABLE: str(runs.absolute())}),
        WAIT_VARIABLE: str(wait_s),
        **({PLAN_VARIABLE: "1"} if plan else {}),
        **policy_environ(environ),
    }


def policy_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep a run to the policy with which it began, whatever its working folder; empty without a policy.

    Raises:
        SettingsError: The policy cannot be used.
    """
    path = policy_path(environ)
    if path is None:
        return {}
    # Most people have no policy, and this import loads a library.
    from ecr_widgets.audit.policy_file import read_policy_file

    return {POLICY_VARIABLE: str(path), POLICY_SHA256_VARIABLE: read_policy_file(path).sha256}
