"""`ecr-widgets attest`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import click

from ecr_widgets.audit.attaching import (
    NOT_ATTACHED,
    Attachable,
    Attached,
    attach,
    attachable,
    find_attachable,
)
from ecr_widgets.audit.attaching_notebook import attach_notebook, read_notebook
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.registries import Registries
from ecr_widgets.cli.outcome import FAILED, SUCCEEDED, print_json
from ecr_widgets.cli.printing import json_option, plain, runs_option
from ecr_widgets.cli.run_ids import whole_run_id
from ecr_widgets.errors import InputError, RecordError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.text import visible
from ecr_widgets.secrets.redaction import SecretRegistry


@click.command(name="attest")
@click.argument("run_id", required=False)
@click.option("--missing", is_flag=True, help="Attach every run whose images lack its seal.")
@click.option(
    "--notebook",
    "with_notebook",
    is_flag=True,
    help="Attach the run's notebook, too, with its outputs and parameters; refused if another account may read the repository.",
)
@runs_option("Folder or bucket of saved runs")
@json_option
@click.pass_context
def command(
    ctx: click.Context, run_id: str | None, *, missing: bool, with_notebook: bool, runs: Place, as_json: bool
) -> None:
    """Attach the seal of RUN_ID (any unique part of it) to the images that the run pushed, copied, deployed or verified.

    What is attached is what the run's seal holds: names, digests, states and the verdict, signed; no output, parameter value, path
    or host. Anyone who may pull the image can read it, and `ecr-widgets audit of IMAGE` or cosign verifies it. What is already
    attached is left alone. With ECR_WIDGETS_ATTEST=1, each run is attached when it ends.
    """
    if (run_id is None) != missing:
        raise InputError("give either RUN_ID or --missing")
    if with_notebook and missing:
        raise InputError("a notebook is attached for one run at a time", hint="give RUN_ID")
    ring = default_ring()
    # If a run was resumed, only its newest seal.
    newest = {each.seal.run_id: each for each in attachable(runs, ring)} if missing else {}
    chosen = [find_attachable(runs, whole_run_id(run_id, runs), ring)] if run_id else newest.values()
    done: list[Attached] = []
    for one in _attached(chosen, runs if with_notebook else None, goes_on=missing):
        done.append(one)
        if not as_json:
            why = f": {one.why}" if one.why else ""
            what = "" if one.what == "seal" else f" ({one.what})"
            click.echo(visible(f"{one.run_id}  {one.state:<16}  {one.image}{what}{why}"))
    if as_json:
        print_json(plain(done))
    elif not done:
        click.echo("no run to attach", err=True)
    ctx.exit(FAILED if any(each.state == NOT_ATTACHED for each in done) else SUCCEEDED)


def _attached(chosen: Iterable[Attachable], notebooks: Place | None, *, goes_on: bool) -> Iterator[Attached]:
    """Attach each of the chosen seals.

    Args:
        notebooks: The folder or bucket with their notebooks, to attach these too; None to attach only seals.

        goes_on: Whether to report a seal that must not be published instead of raising the error.
    """
    known, registries = SecretRegistry(os.environ), Registries()

    def holds_secret(text: str) -> bool:
        return known.redact(text) != text

    for each in chosen:
        try:
            notebook = read_notebook(notebooks, each, holds_secret) if notebooks is not None else None
            yield from attach(each, registries, holds_secret=holds_secret)
            if notebook is not None:
                yield from attach_notebook(each, notebook, registries)
        except RecordError as error:
            if not goes_on:
                raise
            yield Attached(each.seal.run_id or "", "", NOT_ATTACHED, error.message)
