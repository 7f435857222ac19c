"""`ecr-widgets audit`: queries on saved runs and their seals; only `of` asks a registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.chain_head import export_head, heads_of, read_head
from ecr_widgets.audit.compare import compare_runs
from ecr_widgets.audit.figures import figures as count
from ecr_widgets.audit.image_lines import lines_of
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.judging import Verdict
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.one_history import one_history
from ecr_widgets.audit.query import Query, parse_digest, parse_since
from ecr_widgets.audit.report import write_report
from ecr_widgets.audit.retiring import retire_runs
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.run_files import names_in
from ecr_widgets.audit.seal_objects import heads_of_days
from ecr_widgets.audit.sealing import seal_missing
from ecr_widgets.audit.showing import show_run, to_text
from ecr_widgets.audit.verify import verify as check
from ecr_widgets.cli.audit_keys import key, rotate_key
from ecr_widgets.cli.audit_table import print_figures, print_runs
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import Command, GivenPath, json_option, runs_option
from ecr_widgets.cli.tables import wide_option
from ecr_widgets.disk import writing_whole
from ecr_widgets.errors import ImageNotFound, InputError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.text import one_line

_place_option = runs_option("Folder or bucket of saved runs")
_SEALS = ("intact", "resaved", "unsealed", "overwritten", "key unknown")
"""Findings on seals that do not make a run tampered."""
_STATES = ("succeeded", "unknown")
"""A run's own states that are not also verdicts."""


@click.group(name="audit", cls=OurErrors)
def command() -> None:
    """Report what happened, from the saved runs alone."""


def _filters(function: Command) -> Command:
    for option in reversed((
        click.option(
            "--state",
            type=click.Choice((*(each.value for each in Verdict), *_STATES, *_SEALS)),
            help="A verdict, a run's own state, or what its seal says.",
        ),
        click.option("--since", metavar="TIME", help="2026-01-31, an RFC 3339 time, or an age: 12h, 7d, 2w."),
        click.option("--runbook", help="Name of a runbook."),
        click.option("--digest", help="Digest of an image or its beginning, or a reference with one."),
        click.option("--service", help="A service, or ENVIRONMENT/SERVICE."),
    )):  # fmt: skip
        function = option(function)
    return function


def _query(**given: str | None) -> Query:
    since, digest = given["since"], given["digest"]
    return Query(
        since=parse_since(since, now=datetime.now(UTC)) if since else None,
        digest=parse_digest(digest) if digest else None,
        state=given["state"],
        runbook=given["runbook"],
        service=given["service"],
    )


@command.command(name="list")
@_place_option
@_filters
@wide_option
@json_option
@click.option("--newest", type=click.IntRange(min=1), metavar="N", help="Only the N that started last.")
@click.option("--rebuild", is_flag=True, help="Forget the index and read every notebook again.")
def list_(
    *, runs: Place, wide: bool, as_json: bool, newest: int | None, rebuild: bool, **given: str | None
) -> None:
    """List saved runs, newest first: how each ended, what it deployed where, who ran it and why.

    A verdict is what the notebook itself proves; `tampered` means that it was changed after it was sealed. To find runs that are
    gone, and to check the seals themselves, use `audit verify`. With --since or --newest, only the days that are needed are read
    from a bucket.
    """
    query = replace(_query(**given), newest=newest)
    with open_index(runs, rebuild=rebuild, query=query) as index:
        if as_json:
            print_json([row.to_json() for row in index.rows(query)])
        elif not print_runs(index.rows(query), wide=wide):
            click.echo("no run matches" if query != Query() else f"no notebook in {runs}", err=True)
        _end(index.unlisted())


@command.command()
@click.argument("run")
@_place_option
@json_option
def show(*, run: str, runs: Place, as_json: bool) -> None:
    """Show RUN, given by its id, any unique part of one, or its path."""
    with open_index(runs) as index:
        row = index.find(run)
    shown = show_run(runs, row)
    if as_json:
        print_json(shown)
        return
    for line in to_text(shown):
        click.echo(one_line(line))


@command.command()
@click.argument("older")
@click.argument("newer")
@_place_option
@json_option
def compare(*, older: str, newer: str, runs: Place, as_json: bool) -> None:
    """Show what differs between two runs: parameters, digests, states, outcomes and what their cells printed.

    Dockerruns are compared setting by setting, except what is or may be secret in them: no run keeps that.
    """
    with open_index(runs) as index:
        rows = [index.find(each) for each in (older, newer)]
    differences = compare_runs(runs, *rows)
    if as_json:
        print_json([{"what": each.what, "older": each.older, "newer": each.newer} for each in differences])
        return
    for each in differences:
        before, after = ("-" if value is None else value for value in (each.older, each.newer))
        click.echo(one_line(f"{each.what}: {before} → {after}"))
    if not differences:
        click.echo("no difference", err=True)


@command.command()
@_place_option
@json_option
@click.option(
    "--head", "head_file", type=click.File("rb"), help="An exported head, kept where nobody could change it."
)
@click.pass_context
def verify(ctx: click.Context, *, runs: Place, as_json: bool, head_file: BinaryIO | None) -> None:
    """Check whether saved runs were changed since they were sealed, and what; exit code 1 if anything is not in order.

    Without --head it cannot detect that the newest runs were removed together with their seals, or that the holder of
    the key made all seals again. Nor does it find what was already wrong when it was sealed.
    """
    head = read_head(head_file.read()) if head_file else None
    verification = check(runs, names_in(runs), ring=default_ring(), head=head)
    checks = verification.to_json()
    if as_json:
        print_json(checks)
    else:
        for file in checks["files"]:
            click.echo(one_line(f"{file['finding']:<11} {file['path']}: {'; '.join(file['what'])}"))
        for why in verification.chain:
            click.echo(one_line(f"chain       {why}"))
        for key in checks["keys"]:
            click.echo(
                one_line(f"key         {key['key']}: seals {key['first']} to {key['last']}, {key['status']}")
            )
        for step in verification.next_steps:
            click.echo(f"next        {step}")
        counts = ", ".join(f"{count} {finding}" for finding, count in sorted(checks["counts"].items()))
        click.echo(f"{verification.words}: {counts or 'no run'}")
    ctx.exit(0 if verification.ok else 1)


@command.command()
@click.argument("image")
@json_option
@click.pass_context
def of(ctx: click.Context, image: str, *, as_json: bool) -> None:
    """Show what runs did with IMAGE (REPOSITORY:TAG or REPOSITORY@DIGEST), from its registry alone; exit code 1 if none is proven.

    A run counts if `ecr-widgets attest` attached it, signed with a key that is known here (`audit key trust`); what does not
    count is shown with the reason. Anyone who may delete in the repository can remove a run: a gap in the numbers of its chain
    shows that.
    """
    from ecr_widgets.audit.of_image import evidence_of
    from ecr_widgets.audit.registries import Registries

    registries = Registries()
    named, token = registries.resolve(ImageReference.parse(image))
    digest = named.digest or registries.registry.find_digest(named, token)
    if digest is None:
        raise ImageNotFound(f"{image} is not in its registry", hint="check the tag: `ecr-widgets images`")
    evidence = evidence_of(named.with_digest(digest), registries.registry, token, default_ring().known())
    if as_json:
        print_json(msgspec.to_builtins(evidence))
    else:
        for line in lines_of(evidence):
            click.echo(one_line(line))
    ctx.exit(0 if any(each.run.verdict == Verdict.PROVEN for each in evidence.proofs) else 1)


@command.command()
@_place_option
@_filters
@click.option("--out", required=True, type=GivenPath(dir_okay=False), help="The HTML file to write.")
def report(*, runs: Place, out: Path, **given: str | None) -> None:
    """Write a single HTML file with figures, a grid of days and runs; it is safe to open, whatever the notebooks hold."""
    checked = check(runs, names_in(runs), ring=default_ring())
    with open_index(runs) as index, _writing(out), writing_whole(out) as file:
        write_report(
            file,
            runs,
            index.rows(_query(**given)),
            checked=checked,
            now=datetime.now(UTC),
            adopted=index.adopted(),
        )
        unlisted = index.unlisted()
    click.echo(out)
    _end(unlisted)


@command.command()
@_place_option
@_filters
@click.option("--out", required=True, type=GivenPath(dir_okay=False), help="The Parquet file to write.")
def export(*, runs: Place, out: Path, **given: str | None) -> None:
    """Write the runs to one Parquet file, with one row per notebook."""
    from ecr_widgets.audit.frames import write_parquet

    with open_index(runs) as index, _writing(out), writing_whole(out) as file:
        count = write_parquet(index.rows(_query(**given)), file)
        unlisted = index.unlisted()
    click.echo(f"{count} runs: {out}")
    _end(unlisted)


@command.command()
@_place_option
@_filters
@wide_option
@json_option
def figures(*, runs: Place, wide: bool, as_json: bool, **given: str | None) -> None:
    """Show for each service how many deploys a day there were, how many failed, and how long restoring the service took."""
    with open_index(runs) as index:
        by_service = one_history(index.rows(_query(**given)), index.adopted())
        unlisted = index.unlisted()
    services, overridden = count(*by_service), [row for row in by_service.rows if row.overridden]
    if as_json:
        print_json(
            [
                one.to_json() | {"overrides": sum(one.service in run.deployed for run in overridden)}
                for one in services
            ]
        )
    else:
        if services:
            print_figures(services, wide=wide)
        else:
            click.echo("no run that matches has deployed anything", err=True)
        for run in overridden:
            click.echo(
                one_line(f"gate overridden: {run.started_at} {run.run_id} by {run.actor}: {run.overridden}")
            )
    _end(unlisted)


@command.command()
@_place_option
@json_option
def compact(*, runs: Place, as_json: bool) -> None:
    """Put the seals of each closed day in a bucket into one Parquet file, which lists then read; run it once a day.

    A day that has such a file is left as it is, and the seals stay where they are. A day is closed an hour after its end, in UTC
    by the store's clock.
    """
    if isinstance(runs, Path):
        raise InputError(
            f"the seals in {str(runs)!r} are in one file already", hint="give a bucket: --runs s3://…"
        )
    from ecr_widgets.audit.day_files import compact as write_days

    done = []
    for each in write_days(bucket_store(runs)):
        done.append(each)
        if not as_json:
            click.echo(
                one_line(f"{each.name}: {each.why_not or f'{each.seals} seals'}"), err=bool(each.why_not)
            )
    if as_json:
        print_json([each._asdict() for each in done])
    elif not done:
        click.echo("no closed day without its file", err=True)


@command.command()
@_place_option
def head(*, runs: Place) -> None:
    """Print where the chain of seals ends, and those of subfolders; keep it elsewhere, and give it to `verify --head` later."""
    heads = heads_of(runs) if isinstance(runs, Path) else heads_of_days(bucket_store(runs))
    click.echo(export_head(heads))


@command.command()
@_place_option
def seal(*, runs: Place) -> None:
    """Seal the finished runs that have no seal yet, such as those of plain papermill or from before a crash."""
    sealed = seal_missing(runs, names_in(runs), ring=default_ring(), now=datetime.now(UTC))
    for name in sealed:
        click.echo(one_line(name))
    if not sealed:
        click.echo("nothing to seal; copies and changed runs get none", err=True)


@command.command()
@click.argument("names", metavar="NOTEBOOK...", nargs=-1, required=True)
@_place_option
def retire(*, names: tuple[str, ...], runs: Place) -> None:
    """Record with a seal that each NOTEBOOK, by its path or as `audit verify` names it, was removed or overwritten on purpose.

    The chain keeps this record and everything that was sealed of the run; nothing else is changed. A run that was sealed with
    another person's key can only be retired by that person.
    """
    with _writing(runs) if isinstance(runs, Path) else nullcontext():
        for name in retire_runs(runs, names, ring=default_ring(), now=datetime.now(UTC)):
            click.echo(one_line(name))


command.add_command(rotate_key)
command.add_command(key)


def _end(unlisted: Sequence[Row]) -> None:
    """End the command: with exit code 1 if runs are missing from what it has printed or written."""
    for folder in unlisted:
        missing = f"what is in {folder.path!r} is missing here: it cannot be listed: {folder.why}"
        click.echo(one_line(f"ecr-widgets: {missing}; correct its permissions, or move it away"), err=True)
    if unlisted:
        click.get_current_context().exit(1)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{str(out)!r} cannot be written: {error.strerror}", hint="look at its folder, or give another"
        ) from error
