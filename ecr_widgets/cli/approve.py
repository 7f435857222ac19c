"""`ecr-widgets approve`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option


@click.command(name="approve")
@click.argument("run_id", required=False)
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the saved plan  [default: $ECR_WIDGETS_RUNS or ./runs]",
)
@json_option
@click.pass_context
def command(ctx: click.Context, run_id: str | None, *, runs: Path | None, as_json: bool) -> None:
    """Let the plan RUN_ID, made by another person, go on as a run.

    Exactly that plan: it is looked at once more, and refused where it no longer fits what stands, or where its file was
    changed. Both names are in the run's record. Without RUN_ID the plans that wait are listed.
    """
    from ecr_widgets.cli.watching import Watcher
    from ecr_widgets.engine.approval import approve, waiting_plans
    from ecr_widgets.engine.notices import tell_end

    folder = runs or Path(os.environ.get("ECR_WIDGETS_RUNS") or "runs")
    if run_id is None:
        plans = waiting_plans(folder)
        if as_json:
            print_json([asdict(plan) for plan in plans])
        else:
            click.echo("\n".join(map(str, plans)) or f"no plan in {str(folder)!r} waits")
        return
    watcher = Watcher(quiet=as_json)
    try:
        result = approve(run_id, runs=folder, on_event=watcher)
    finally:
        watcher.close()
    tell_end(result)
    if as_json:
        print_json(result.to_json())
    else:
        click.echo(result)
    ctx.exit(result.exit_code)
