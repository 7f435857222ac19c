"""`ecr-widgets service`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import ecr_widgets
from ecr_widgets.cli.gating import override_option
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, plain, runs_option, table, tell
from ecr_widgets.cli.tables import wide_option
from ecr_widgets.cli.targets import find_deploy, services_of
from ecr_widgets.cli.waiting import timeout_option, wait_option
from ecr_widgets.model.bucket_path import Place

if TYPE_CHECKING:
    from ecr_widgets.model.services import Copy


_EVENTS = 5


@click.group(name="service", cls=OurErrors)
def command() -> None:
    """List, show, deploy, scale and delete services of Layer0 or, if ENVIRONMENT is ecs:CLUSTER, of ECS."""


@command.command(name="list")
@click.argument("environment", required=False)
@runs_option("Folder or bucket of saved runs, which say who deployed what a service runs")
@wide_option
@json_option
def list_services(environment: str | None, *, runs: Place, wide: bool, as_json: bool) -> None:
    """List all services, or those of one ENVIRONMENT: state, copies, image, since when and by whom."""
    from ecr_widgets.steps.shared.service_lookup import find_environment

    services = services_of(environment)
    where = find_environment(services, environment).environment_id if environment else None
    if as_json:
        print_json(plain(services.list_services(where)))
        return
    from ecr_widgets.cli.service_table import print_services
    from ecr_widgets.steps.shared.service_list import list_with_state

    print_services(list_with_state(services, where), runs, wide=wide, in_one_environment=bool(environment))


@command.command()
@click.argument("environment")
@click.argument("service")
@json_option
def show(environment: str, service: str, *, as_json: bool) -> None:
    """Show SERVICE: counts, deployments, why containers stopped, and the copies that ECS reports."""
    from ecr_widgets.model.text import visible
    from ecr_widgets.steps.shared.service_lookup import find_environment, require_service
    from ecr_widgets.steps.shared.service_wait import describe

    services = services_of(environment)
    details = require_service(services, find_environment(services, environment), service)
    copies = services.list_copies(details.service_id)
    if as_json:
        print_json(plain(details) | ({"copies": plain(copies)} if copies is not None else {}))
        return
    click.echo(f"{details.name} ({details.service_id}): {describe(details)}")
    if details.scaling is not None:
        click.echo(f"  auto scaling: {details.scaling.least} to {details.scaling.most} copies")
    for deployment in details.deployments:
        for reason in (deployment.reason, *deployment.events[-_EVENTS:], *deployment.stopped_reasons):
            if reason:
                click.echo(f"  {deployment.deploy_id}: {visible(reason.strip())}")
    if copies:
        click.echo()
        table(("COPY", "DEPLOY", "STATUS", "HEALTH", "SINCE", "RUNS"), map(_copy_row, copies))


@command.command()
@click.argument("environment")
@click.argument("service")
@click.argument("deploy")
@click.option("--load-balancer", metavar="NAME", help="Load balancer for a new service.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it runs.")
@timeout_option(600.0)
@override_option
@wait_option()
@json_option
def deploy(
    environment: str,
    service: str,
    deploy: str,
    *,
    load_balancer: str | None,
    wait: bool,
    timeout_s: float,
    wait_if_busy_s: float,
    as_json: bool,
) -> None:
    """Deploy DEPLOY (a name for its latest version, NAME:VERSION or an id) to SERVICE, which is created if needed."""
    kit = ecr_widgets.connect(wait_s=wait_if_busy_s)
    deploy_id = find_deploy(kit.look.target(environment), deploy)
    with kit.hold_service(environment, service):
        done = kit.deploy_service(environment, service, deploy_id, load_balancer=load_balancer)
        if wait:
            kit.wait(done, timeout_s=timeout_s)
    word = "runs" if wait else "moves to"
    tell(done, f"{service} ({done.service_id}) {word} {deploy_id}", as_json=as_json)


@command.command(name="continue")
@click.argument("environment")
@click.argument("service")
@click.option("--roll-back", is_flag=True, help="Roll the deployment back instead.")
@override_option
@wait_option("--wait")
@json_option
def continue_deployment(
    environment: str, service: str, *, roll_back: bool, wait_if_busy_s: float, as_json: bool
) -> None:
    """Continue SERVICE's deployment, which waits at a pause hook of ECS."""
    done = ecr_widgets.connect(wait_s=wait_if_busy_s).continue_deployment(
        environment, service, roll_back=roll_back
    )
    word = "is taken back" if roll_back else "goes on"
    tell(done, f"{service}: {done.deploy_id} {word} after {done.stage}", as_json=as_json)


@command.command()
@click.argument("environment")
@click.argument("service")
@click.argument("count", type=int)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the copies run.")
@timeout_option(600.0)
@override_option
@wait_option()
@json_option
def scale(
    environment: str,
    service: str,
    count: int,
    *,
    wait: bool,
    timeout_s: float,
    wait_if_busy_s: float,
    as_json: bool,
) -> None:
    """Scale SERVICE to COUNT copies."""
    kit = ecr_widgets.connect(wait_s=wait_if_busy_s)
    done = kit.layer0.scale_service(environment, service, count, wait=wait, timeout_s=timeout_s)
    tell(done, f"{service}: {done.running_count}/{done.desired_count} running", as_json=as_json)
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)


@command.command()
@click.argument("environment")
@click.argument("service")
@timeout_option(900.0)
@wait_option("--wait")
@json_option
def delete(environment: str, service: str, *, timeout_s: float, wait_if_busy_s: float, as_json: bool) -> None:
    """Delete SERVICE and wait until it is gone; no error if it does not exist."""
    kit = ecr_widgets.connect(wait_s=wait_if_busy_s)
    done = kit.layer0.delete_service(environment, service, timeout_s=timeout_s)
    tell(done, f"{service}: {'deleted' if done.changed else 'did not exist'}", as_json=as_json)


def _copy_row(copy: Copy) -> tuple[str, ...]:
    runs = ", ".join(
        f"{each.name} {(each.image_digest or 'no digest reported')[:19]}" for each in copy.containers
    )
    since = copy.started_at.isoformat(sep=" ", timespec="seconds") if copy.started_at is not None else ""
    return copy.copy_id.rpartition("/")[2], copy.deploy_id, copy.status, copy.health, since, runs
