"""`ecr-widgets fleet`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ecr_widgets.cli.outcome import FAILED, OurErrors, note_run, print_json
from ecr_widgets.cli.printing import GivenPath, json_option, runs_option
from ecr_widgets.errors import InputError
from ecr_widgets.model.paths import path_of

if TYPE_CHECKING:
    from ecr_widgets.engine.results import RunResult
    from ecr_widgets.fleets.runs import OwnRuns
    from ecr_widgets.model.bucket_path import Place
    from ecr_widgets.model.fleet import FleetRunbook, Target
    from ecr_widgets.model.target_lists import Check

_LARGEST_INPUT = 16_000
"""In characters, on standard input: the text becomes a parameter of the run, and is saved with it."""
_RUNBOOK = "fleet"


class _Fleet(OurErrors):
    """The group's commands: `gate`, and one for each runbook."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["gate", "RUNBOOK"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return gate if cmd_name == "gate" else _start(cmd_name)


@click.group(name="fleet", cls=_Fleet)
def command() -> None:
    """Run RUNBOOK on many targets, in waves, as one run of the runbook `fleet`.

    A target is a set of parameters. Each is a run of its own, in a slot of its own; a fleet that stopped is resumed by
    `ecr-widgets run --resume`, and runs only what is left.
    """


def _start(runbook: str) -> click.Command:
    """Return the command that runs a fleet of one runbook."""

    @click.command(name=runbook, help=_HELP)
    @click.option(
        "--targets",
        required=True,
        metavar="FILE|-|ENVIRONMENT/SERVICE*",
        help="Sets of parameters, as JSON lines or CSV, - for standard input; or the services with such names.",
    )
    @click.option(
        "-p",
        "--parameter",
        "given",
        nargs=2,
        multiple=True,
        metavar="NAME VALUE",
        help="A parameter of all targets.",
    )
    @click.option(
        "--waves",
        default="1,100%",
        show_default=True,
        metavar="SIZES",
        help="Counts, or percentages of all targets; the last is repeated, the first is the canary.",
    )
    @click.option(
        "--stop-after",
        default=0,
        show_default=True,
        metavar="N",
        help="Failures that are allowed; after one more, no further wave begins.",
    )
    @click.option(
        "--at-once", default=8, show_default=True, metavar="N", help="Targets that run at the same time."
    )
    @click.option("--pause", "pause_s", default=0.0, metavar="SECONDS", help="Pause between waves.")
    @click.option("--slot", metavar="NAME", help="Name of the fleet, such as release-1.10: it is run once.")
    @click.option("--scheduler", default="", metavar="ADDRESS", help="A Dask scheduler to run on.")
    @runs_option("Folder or bucket (s3://BUCKET/PREFIX) for the saved runs")
    @click.option(
        "--plan", is_flag=True, help="Change nothing; with --json, the waves and targets for other engines."
    )
    @click.option("--reason", default="", metavar="TEXT", help="Why; becomes the fleet's operation note.")
    @json_option
    @click.pass_context
    def start(
        ctx: click.Context,
        *,
        targets: str,
        given: tuple[tuple[str, str], ...],
        waves: str,
        stop_after: int,
        at_once: int,
        pause_s: float,
        slot: str | None,
        scheduler: str,
        runs: Place,
        plan: bool,
        reason: str,
        as_json: bool,
    ) -> None:
        note_run(ctx, runbook=_RUNBOOK, run_id=None)
        from ecr_widgets.cli.run import by_name
        from ecr_widgets.cli.watching import Watcher, end_with
        from ecr_widgets.engine.notices import telling_refusals
        from ecr_widgets.engine.run import run_runbook

        common = by_name(given)
        with telling_refusals(_RUNBOOK):
            fleet_runs = _fleet_runs(runs)
            book = fleet_runs.read_runbook(runbook)
            source = _source(targets, book)
            listed = _targets(source, book, common, fleet_runs.check_parameters)
        with closing(Watcher(quiet=as_json)) as watcher, telling_refusals(_RUNBOOK):
            result = run_runbook(
                _RUNBOOK,
                {
                    "runbook": book.path,
                    "targets": source,
                    "parameters": json.dumps(common),
                    "waves": waves,
                    "stop_after": str(stop_after),
                    "at_once": str(at_once),
                    "pause_s": str(pause_s),
                    "name": slot or "",
                    "scheduler": scheduler,
                },
                runs=runs,
                plan=plan,
                slot=None if plan else slot,
                reason=reason,
                on_event=watcher,
            )
        if result.ran_before:
            _check_same(result, listed)
        if plan and as_json:
            from ecr_widgets.fleets.gate import document_of

            name = slot or result.run_id
            fleet = document_of(
                name, book, listed, runs=runs, waves=waves, stop_after=stop_after, at_once=at_once
            )
            print_json(result.to_json() | {"fleet": fleet})
            ctx.exit(result.exit_code)
        end_with(ctx, result, as_json=as_json)

    return start


_HELP = """Run this runbook on many targets, in waves.

The first wave is the canary. The fleet stops before the next wave when more targets have failed than --stop-after allows; targets that
are running then run to their end. A target whose outcome is unknown stops the fleet at once.
"""


@click.command(name="gate")
@click.argument("fleet", type=GivenPath(dir_okay=False))
@click.argument("wave", type=click.IntRange(min=1))
@runs_option("Folder or bucket of the saved runs")
@json_option
@click.pass_context
def gate(ctx: click.Context, *, fleet: Path, wave: int, runs: Place, as_json: bool) -> None:
    """Exit with 0 if the wave after WAVE may begin, else with 1.

    FLEET is a file with what `fleet RUNBOOK --plan --json` printed; how its targets ended is read from their saved runs.
    """
    from ecr_widgets.fleets.gate import look_at_wave

    state = look_at_wave(fleet, wave, runs)
    if as_json:
        print_json(state.to_json())
    else:
        click.echo(str(state))
    ctx.exit(0 if state.is_open else FAILED)


def _check_same(result: RunResult, targets: Sequence[Target]) -> None:
    """Refuse a slot whose fleet has succeeded with other targets: it runs once, so those that were added would not run.

    A slot only compares parameters, and of a file or a name with `*` these hold no targets.
    """
    from ecr_widgets.model.fleet import sha256_of

    planned = next(each.outcome for each in result.steps if each.step == "plan_fleet")
    if sha256_of(str(planned["runbook_sha256"]), targets) != planned["fleet_sha256"]:
        raise InputError(
            f"fleet {planned['fleet']} has run already, with other targets: {planned['targets']} then, {len(targets)} now",
            hint="give it another --slot to run these",
        )


def _fleet_runs(runs: Place) -> OwnRuns:
    from ecr_widgets.fleets.runs import OwnRuns
    from ecr_widgets.secrets.redaction import SecretRegistry

    known = SecretRegistry(os.environ)
    return OwnRuns(runs, known, lambda _: None)


def _source(targets: str, book: FleetRunbook) -> str:
    """Return the targets as the fleet's run takes them: text from standard input as it is, a path made absolute."""
    from ecr_widgets.model.target_lists import Source, read_targets, source_of
    from ecr_widgets.steps.shared.fleet_targets import decoded

    if targets != "-":
        is_file = source_of(targets) is Source.FILE
        return str(path_of(targets).absolute()) if is_file else targets
    text = decoded(sys.stdin.buffer.read(), "standard input")
    if source_of(text) is not Source.TEXT:
        read = read_targets(text, book.parameters, common={}, named="standard input")
        text = json.dumps([dict(each.parameters) for each in read], ensure_ascii=False)
    if len(text) > _LARGEST_INPUT:
        raise InputError(
            f"standard input has more than {_LARGEST_INPUT} characters", hint="give the targets as a file"
        )
    return text


def _targets(source: str, book: FleetRunbook, common: Mapping[str, str], check: Check) -> tuple[Target, ...]:
    """Find the targets like the fleet's first step does, so that errors are reported before anything starts."""
    from ecr_widgets.cli.targets import services_of
    from ecr_widgets.steps.shared.fleet_targets import find_targets
    from ecr_widgets.steps.shared.runbook_files import RunbookFiles

    read = RunbookFiles().read
    return find_targets(source, book, common=common, check=check, read=read, services_of=services_of)
