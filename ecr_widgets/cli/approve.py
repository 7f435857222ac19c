"""`ecr-widgets approve`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

import click

import ecr_widgets
from ecr_widgets.cli.gating import override_option
from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option, runs_option, tell
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.ecs_names import is_ecs


@click.command(name="approve")
@click.argument("run_id", metavar="[RUN_ID | ecs:CLUSTER/SERVICE]", required=False)
@runs_option("Folder or bucket of the saved plan")
@override_option
@json_option
@click.pass_context
def command(ctx: click.Context, run_id: str | None, *, runs: Place, as_json: bool) -> None:
    """Approve the plan RUN_ID (any unique part of it), made by another person, and run it.

    Exactly that plan is run: it is checked again, and refused if it no longer fits what exists, or if its file was changed.
    Both names are in the run's record. Without RUN_ID, lists the plans that wait.

    With ecs:CLUSTER/SERVICE, continues that service's deployment that waits at a pause, unless you started it.
    """
    if run_id is not None and is_ecs(run_id):
        _continue(run_id, runs, as_json=as_json)
        return
    from ecr_widgets.cli.run_ids import whole_run_id
    from ecr_widgets.cli.watching import Watcher, end_with
    from ecr_widgets.engine.approval import approve, waiting_plans

    if run_id is None:
        plans = waiting_plans(runs)
        if as_json:
            print_json([asdict(plan) for plan in plans])
        else:
            click.echo("\n".join(map(str, plans)) or f"no plan in {str(runs)!r} waits")
        return
    with closing(Watcher(quiet=as_json)) as watcher:
        result = approve(whole_run_id(run_id, runs), runs=runs, on_event=watcher)
    end_with(ctx, result, as_json=as_json)


def _continue(target: str, runs: Place, *, as_json: bool) -> None:
    from ecr_widgets.actor import actor
    from ecr_widgets.adapters.run_stores import store_of
    from ecr_widgets.cli.targets import services_of
    from ecr_widgets.errors import InputError
    from ecr_widgets.proofs import who_deployed
    from ecr_widgets.steps.shared.service_lookup import find_environment, require_service

    environment, _, service = target.rpartition("/")
    services = services_of(environment)
    primary = require_service(services, find_environment(services, environment), service).primary
    if primary is not None and who_deployed(store_of(runs), primary.deployment_id) == actor():
        raise InputError(
            f"{actor()} started deployment {primary.deployment_id} and cannot approve it",
            hint="have another person run `approve`",
        )
    done = ecr_widgets.connect().continue_deployment(environment, service)
    tell(done, f"{service}: {done.deploy_id} continues after {done.stage}", as_json=as_json)
