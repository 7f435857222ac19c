"""`ecr-widgets doctor`."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from ecr_widgets.cli.outcome import FAILED, print_json
from ecr_widgets.cli.printing import json_option
from ecr_widgets.cli.wrapping import wrapped
from ecr_widgets.doctor import examine


@click.command(name="doctor")
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Check AWS, Docker and Layer0: what is reachable, with which identity, and how to fix the rest.

    Changes nothing, but tries a bucket for runs with a few small objects under `leases/probe/`, and removes them.
    """
    findings = examine()
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            line = f"{'ok     ' if finding.ok else 'missing'}  {finding.what:<16}  {finding.told}"
            click.echo(wrapped(line, sys.stdout, hang=27))
    if not all(finding.ok for finding in findings):
        ctx.exit(FAILED)
