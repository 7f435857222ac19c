"""`ecr-widgets approve`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option, runs_option


@click.command(name="approve")
@click.argument("run_id", required=False)
@runs_option("Folder of the saved plan")
@json_option
@click.pass_context
def command(ctx: click.Context, run_id: str | None, *, runs: Path, as_json: bool) -> None:
    """Let the plan RUN_ID, made by another person, go on as a run.

    Exactly that plan: it is looked at once more, and refused where it no longer fits what is there, or where its file was
    changed. Both names are in the run's record. Without RUN_ID the plans that wait are listed.
    """
    from ecr_widgets.cli.watching import Watcher, end_with
    from ecr_widgets.engine.approval import approve, waiting_plans

    if run_id is None:
        plans = waiting_plans(runs)
        if as_json:
            print_json([asdict(plan) for plan in plans])
        else:
            click.echo("\n".join(map(str, plans)) or f"no plan in {str(runs)!r} waits")
        return
    watcher = Watcher(quiet=as_json)
    try:
        result = approve(run_id, runs=runs, on_event=watcher)
    finally:
        watcher.close()
    end_with(ctx, result, as_json=as_json)
