"""What a command ends with: our errors as one line and the contract's exit code."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ecr_widgets.errors import (
    DeploymentFailed,
    EcrWidgetsError,
    EngineUnavailable,
    InputError,
    OutcomeUnknown,
    RollbackFailed,
    SettingsError,
    TargetBusy,
)

SUCCEEDED, FAILED, REFUSED, INTERRUPTED, UNKNOWN, BUSY, ROLLBACK_FAILED = range(7)
"""Exit codes; keep in step with contract section 2."""
WANTS_JSON = "ecr_widgets.json"
"""Where a click context notes that stdout gets one JSON document, whatever happens."""


def exit_code_of(error: EcrWidgetsError) -> int:
    """The contract's exit code for an error."""
    if isinstance(error, (InputError, SettingsError, EngineUnavailable)):
        return REFUSED
    if isinstance(error, OutcomeUnknown):
        return UNKNOWN
    if isinstance(error, TargetBusy):
        return BUSY
    if isinstance(error, RollbackFailed):
        return ROLLBACK_FAILED
    return FAILED


class OurErrors(click.Group):
    """A group whose commands end with one line on stderr when they raise one of our errors."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except EcrWidgetsError as error:
            click.echo(f"ecr-widgets: {error}", err=True)
            if ctx.meta.get(WANTS_JSON):
                print_json({"error": _told(error)})
            ctx.exit(exit_code_of(error))
        except KeyboardInterrupt:
            click.echo("ecr-widgets: interrupted", err=True)
            ctx.exit(INTERRUPTED)


def _told(error: EcrWidgetsError) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": exit_code_of(error),
    }
    if isinstance(error, DeploymentFailed):
        told["reasons"] = list(error.reasons)
    return told


def print_refusal(error: EcrWidgetsError, *, runbook: str | None, run_id: str | None) -> None:
    """What `run --json` prints where no run was started: the members of a run, those that it has not as null."""
    code = exit_code_of(error)
    print_json(
        {
            "run_id": run_id,
            "runbook": runbook,
            "state": {REFUSED: "refused", BUSY: "busy"}.get(code, "failed"),
            "reason": str(error),
            "notebook": None,
            "started_at": None,
            "ended_at": None,
            "duration_s": None,
            "steps": [],
        }
    )


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
