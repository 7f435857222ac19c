"""`ecr-widgets approve`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ecr_widgets.cli.outcome import print_json


@click.command(name="approve")
@click.argument("run_id")
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the saved plan  [default: $ECR_WIDGETS_RUNS or ./runs]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_context
def command(ctx: click.Context, run_id: str, *, runs: Path | None, as_json: bool) -> None:
    """Let the plan RUN_ID, made by another person, go on as a run.

    Exactly that plan: it is looked at once more, and refused where it no longer fits what stands, or where its file was
    changed. Both names are in the run's record.
    """
    from ecr_widgets.cli.watching import Watcher
    from ecr_widgets.engine.approval import approve
    from ecr_widgets.engine.notices import tell_end

    watcher = Watcher(quiet=as_json)
    try:
        result = approve(
            run_id, runs=runs or Path(os.environ.get("ECR_WIDGETS_RUNS") or "runs"), on_event=watcher
        )
    finally:
        watcher.close()
    tell_end(result)
    if as_json:
        print_json(result.to_json())
    else:
        reason = f" ({result.reason})" if result.reason else ""
        click.echo(f"{result.state}: {result.notebook}{reason}")
    ctx.exit(result.exit_code)
