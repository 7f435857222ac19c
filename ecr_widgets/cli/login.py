"""`ecr-widgets login`."""

from __future__ import annotations

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option


@click.command(name="login")
@json_option
def command(*, as_json: bool) -> None:
    """Log Docker in to the account's registry, with Docker's own store for logins.

    Runbooks do not need this: each of their steps hands the password to the engine by itself.
    """
    from ecr_widgets.adapters.docker_login import store_login
    from ecr_widgets.adapters.ecr import BotoEcr
    from ecr_widgets.model.times import to_rfc3339

    ecr = BotoEcr()
    identity, token = ecr.identity(), ecr.authorization_token()
    stored = store_login(token)
    told = {
        "registry": token.registry,
        "user": token.user,
        "account": identity.account,
        "identity": identity.arn,
        "expires_at": to_rfc3339(token.expires_at),
        "stored_in": stored,
    }
    if as_json:
        print_json(told)
        return
    click.echo(f"logged in to {token.registry} as {identity.arn} until {told['expires_at']}")
    click.echo(f"stored in {stored}", err=True)
