"""`ecr-widgets service`."""

from __future__ import annotations

import click

from ecr_widgets.cli.layer0_client import client, find_deploy
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, plain, table, tell
from ecr_widgets.cli.waiting import timeout_option, wait_option


@click.group(name="service", cls=OurErrors)
def command() -> None:
    """List, show, deploy, scale and delete Layer0's services."""


@command.command(name="list")
@click.argument("environment", required=False)
@json_option
def list_services(environment: str | None, *, as_json: bool) -> None:
    """List all services, or those of one ENVIRONMENT."""
    from ecr_widgets.steps.shared.service_lookup import find_environment

    layer0 = client()
    where = find_environment(layer0, environment).environment_id if environment else None
    services = layer0.list_services(where)
    if as_json:
        print_json(plain(services))
        return
    table(
        ("SERVICE", "ENVIRONMENT", "ID"), [(each.name, each.environment, each.entity_id) for each in services]
    )


@command.command()
@click.argument("environment")
@click.argument("service")
@json_option
def show(environment: str, service: str, *, as_json: bool) -> None:
    """Show SERVICE: counts, deployments and why containers stopped."""
    from ecr_widgets.steps.shared.service_lookup import find_environment, require_service
    from ecr_widgets.steps.shared.service_wait import describe

    layer0 = client()
    details = require_service(layer0, find_environment(layer0, environment), service)
    if as_json:
        print_json(plain(details))
        return
    click.echo(f"{details.name} ({details.service_id}): {describe(details)}")
    for deployment in details.deployments:
        for reason in deployment.stopped_reasons:
            click.echo(f"  {deployment.deploy_id}: {reason.strip()}")


@command.command()
@click.argument("environment")
@click.argument("service")
@click.argument("deploy")
@click.option("--load-balancer", metavar="NAME", help="Load balancer for a new service.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it runs.")
@timeout_option(600.0)
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
    from ecr_widgets.connections import connect

    deploy_id = find_deploy(client(), deploy)
    kit = connect(wait_s=wait_if_busy_s)
    with kit.hold_service(environment, service):
        done = kit.deploy_service(environment, service, deploy_id, load_balancer=load_balancer)
        if wait:
            kit.wait(done, timeout_s=timeout_s)
    word = "runs" if wait else "moves to"
    tell(done, f"{service} ({done.service_id}) {word} {deploy_id}", as_json=as_json)


@command.command()
@click.argument("environment")
@click.argument("service")
@click.argument("count", type=int)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the copies run.")
@timeout_option(600.0)
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
    from ecr_widgets.connections import connect

    kit = connect(wait_s=wait_if_busy_s)
    done = kit.layer0.scale_service(environment, service, count, wait=wait, timeout_s=timeout_s)
    tell(done, f"{service}: {done.running_count}/{done.desired_count} running", as_json=as_json)


@command.command()
@click.argument("environment")
@click.argument("service")
@timeout_option(900.0)
@wait_option("--wait")
@json_option
def delete(environment: str, service: str, *, timeout_s: float, wait_if_busy_s: float, as_json: bool) -> None:
    """Delete SERVICE and wait until it is gone; no error if it does not exist."""
    from ecr_widgets.connections import connect

    kit = connect(wait_s=wait_if_busy_s)
    done = kit.layer0.delete_service(environment, service, timeout_s=timeout_s)
    tell(done, f"{service}: {'deleted' if done.changed else 'did not exist'}", as_json=as_json)
