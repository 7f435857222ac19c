"""`ecr-widgets run`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from ecr_widgets.cli.gating import override_option
from ecr_widgets.cli.outcome import note_run
from ecr_widgets.cli.printing import GivenPath, json_option, runs_option
from ecr_widgets.cli.waiting import wait_option
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import Place


class _Run(click.Command):
    """Reports wrong arguments as a run that never began."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        note_run(ctx, runbook=None, run_id=None)
        return super().parse_args(ctx, args)


@click.command(name="run", cls=_Run, add_help_option=False)
@click.argument("runbook", required=False)
@click.option(
    "-h",
    "--help",
    "show_help",
    is_flag=True,
    help="Show this; with a RUNBOOK, what that does and which parameters it takes.",
)
@click.option(
    "-p", "--parameter", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter's value."
)
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=GivenPath(dir_okay=False),
    help="YAML file with parameters; -p takes precedence.",
)
@runs_option("Folder or bucket (s3://BUCKET/PREFIX) for the saved run")
@wait_option("--wait")
@click.option("--plan", is_flag=True, help="Change nothing; show and save what the run would change.")
@click.option(
    "--resume",
    metavar="RUN_ID",
    help="Resume a run that did not succeed, instead of starting one; any unique part of its id.",
)
@click.option(
    "--slot",
    metavar="NAME",
    help="Slot of a schedule, such as nightly-2026-11-23: run it once, and resume it if it did not succeed.",
)
@click.option(
    "--reason", default="", metavar="TEXT", help="Why; becomes the operation note of the saved notebook."
)
@click.option("--of-fleet", hidden=True)
@override_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    runbook: str | None,
    given: tuple[tuple[str, str], ...],
    files: tuple[Path, ...],
    runs: Place,
    wait_if_busy_s: float,
    plan: bool,
    resume: str | None,
    slot: str | None,
    reason: str,
    of_fleet: str | None,
    as_json: bool,
    show_help: bool,
) -> None:
    """Run RUNBOOK, a shipped runbook's name or a path, and save the run as a notebook.

    A value gets the type that the runbook declares: a string parameter stays as it was typed. With --resume, whatever is
    already done is found and not repeated.

    When a run ends badly or waits for an approval, $ECR_WIDGETS_NOTIFY_COMMAND gets its summary as JSON on standard input, and
    $ECR_WIDGETS_NOTIFY_URL by POST.
    """
    if show_help:
        _help(ctx, runbook)
        return
    note_run(ctx, runbook=runbook, run_id=resume)
    from ecr_widgets.cli.watching import Watcher, end_with
    from ecr_widgets.engine.notices import telling_refusals
    from ecr_widgets.engine.run import resume_run, run_runbook

    if slot and plan:
        raise click.UsageError(
            "A plan needs no slot: it changes nothing, and can be made any number of times."
        )
    if (runbook is None) == (resume is None):
        raise click.UsageError("Give either RUNBOOK or --resume RUN_ID.")
    with closing(Watcher(quiet=as_json)) as watcher:
        if runbook is not None:
            with telling_refusals(runbook):
                result = run_runbook(
                    runbook,
                    by_name(given),
                    parameter_files=files,
                    runs=runs,
                    wait_s=wait_if_busy_s,
                    plan=plan,
                    slot=slot,
                    reason=reason,
                    of_fleet=of_fleet,
                    on_event=watcher,
                )
        elif given or files or plan or slot or reason:
            raise click.UsageError(
                "A run is resumed with its own parameters: leave out -p, -f, --plan, --slot and --reason."
            )
        else:
            # Imported here, because new runs start faster without the index.
            from ecr_widgets.cli.run_ids import whole_run_id

            run_id = whole_run_id(str(resume), runs)
            with telling_refusals(run_id):
                result = resume_run(run_id, runs=runs, wait_s=wait_if_busy_s, on_event=watcher)
    end_with(ctx, result, as_json=as_json)


def by_name(given: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the parameters from `-p`.

    Raises:
        InputError: One was given twice.
    """
    names = [name for name, _ in given]
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise InputError(f"parameter {twice!r} was given twice", hint="give it once")
    return dict(given)


def _help(ctx: click.Context, runbook: str | None) -> None:
    if runbook is None:
        click.echo(ctx.get_help())
        return
    from ecr_widgets.cli.runbooks import tell_runbook
    from ecr_widgets.runbooks import find_runbook

    book = find_runbook(runbook)
    click.echo(f"Usage: {ctx.command_path} {runbook} [-p NAME VALUE]... [OPTIONS]\n")
    tell_runbook(book, values="each is given as -p NAME VALUE")
    formatter = ctx.make_formatter()
    ctx.command.format_options(ctx, formatter)
    click.echo(f"\n{formatter.getvalue()}", nl=False)
