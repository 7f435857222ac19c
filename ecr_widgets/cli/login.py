"""`ecr-widgets login`."""

from __future__ import annotations

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option


@click.command(name="login")
@json_option
def command(*, as_json: bool) -> None:
    """Log the docker command in to the account's registry; Docker's credential store keeps the login.

    Runbooks do not need this: their steps log in by themselves.
    """
    from ecr_widgets.adapters.boto_ecr import BotoEcr
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.docker_login import store_login
    from ecr_widgets.model.times import to_rfc3339
    from ecr_widgets.secrets.redaction import SecretRegistry
    from ecr_widgets.steps.login import log_in
    from ecr_widgets.steps.shared.registry_session import RegistrySession

    ecr = BotoEcr()
    session = RegistrySession(ecr, SystemClock())
    outcome = log_in(ecr, session)
    token = session.token()
    known = SecretRegistry()
    known.register(token.password)
    stored = store_login(token, known.redact)
    expires_at = to_rfc3339(outcome.expires_at)
    answer = {
        "registry": outcome.registry,
        "user": outcome.user,
        "account": outcome.account,
        "identity": outcome.identity,
        "expires_at": expires_at,
        "stored_in": stored,
    }
    if as_json:
        print_json(answer)
        return
    for each in outcome.warnings:
        click.echo(f"ecr-widgets: warning: {each}", err=True)
    click.echo(f"logged in to {outcome.registry} as {outcome.identity or outcome.user} until {expires_at}")
    click.echo(f"stored in {stored}", err=True)
