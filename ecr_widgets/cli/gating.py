"""`--override-gate`, for all commands that a policy may refuse."""

from __future__ import annotations

import os

import click

from ecr_widgets.settings import OVERRIDE_VARIABLE


def _override(ctx: click.Context, _: click.Parameter, reason: str | None) -> None:
    if reason is None:
        return
    if not reason.strip():
        raise click.BadParameter("Give the reason for continuing although the policy refuses.")
    from ecr_widgets.secrets.parameters import refuse_secrets
    from ecr_widgets.secrets.redaction import SecretRegistry

    known = SecretRegistry(os.environ)
    refuse_secrets({"--override-gate": reason}, known)
    # Only for this command and the run that it starts.
    before = os.environ.get(OVERRIDE_VARIABLE)
    ctx.call_on_close(lambda: _put_back(before))
    os.environ[OVERRIDE_VARIABLE] = reason


def _put_back(before: str | None) -> None:
    os.environ.pop(OVERRIDE_VARIABLE, None)
    if before is not None:
        os.environ[OVERRIDE_VARIABLE] = before


override_option = click.option(
    "--override-gate",
    metavar="REASON",
    expose_value=False,
    callback=_override,
    help="In an emergency: continue although the policy in $ECR_WIDGETS_POLICY refuses. REASON is recorded, and `audit figures` lists it.",
)
