"""`ecr-widgets loadbalancer`."""

from __future__ import annotations

import click

import ecr_widgets
from ecr_widgets.cli.outcome import OurErrors, print_json
from ecr_widgets.cli.printing import json_option, plain, table, tell
from ecr_widgets.cli.targets import client
from ecr_widgets.cli.waiting import timeout_option


@click.group(name="loadbalancer", cls=OurErrors)
def command() -> None:
    """Create, change, list, show and delete Layer0's load balancers."""


@command.command(name="list")
@click.argument("environment", required=False)
@json_option
def list_balancers(environment: str | None, *, as_json: bool) -> None:
    """List all load balancers, or those of one ENVIRONMENT."""
    from ecr_widgets.steps.shared.service_lookup import find_environment

    layer0 = client()
    where = find_environment(layer0, environment).environment_id if environment else None
    balancers = layer0.list_load_balancers(where)
    if as_json:
        print_json(plain(balancers))
        return
    table(
        ("LOAD BALANCER", "ENVIRONMENT", "ID"),
        [(each.name, each.environment, each.entity_id) for each in balancers],
    )


@command.command()
@click.argument("environment")
@click.argument("balancer")
@json_option
def show(environment: str, balancer: str, *, as_json: bool) -> None:
    """Show BALANCER: its address, ports, health check and service."""
    from ecr_widgets.steps.shared.service_balancer import require_balancer
    from ecr_widgets.steps.shared.service_lookup import find_environment

    layer0 = client()
    details = require_balancer(layer0, find_environment(layer0, environment), balancer)
    if as_json:
        print_json(plain(details))
        return
    kind = "public" if details.is_public else "private"
    click.echo(f"{details.name} ({details.load_balancer_id}), {kind}, at {details.url or 'no address yet'}")
    for port in details.ports:
        shown = f", certificate {port.certificate}" if port.certificate else ""
        click.echo(f"  {port.host_port} to host port {port.container_port}, {port.protocol}{shown}")
    check = details.health_check
    click.echo(
        f"  checks {check.target} each {check.interval} s; idle connections end after {details.idle_timeout} s"
    )
    click.echo(f"  service {details.service_id or 'none'}")


@command.command()
@click.argument("environment")
@click.argument("balancer")
@click.option(
    "--port",
    "ports",
    multiple=True,
    default=["80:80/tcp"],
    show_default=True,
    metavar="HOST:CONTAINER/PROTOCOL",
    help="A port to listen on, and the instances' port behind it (a Dockerrun's hostPort); repeatable.",
)
@click.option("--certificate", default="", help="Name or ARN, for SSL and HTTPS ports.")
@click.option("--private", is_flag=True, help="Reachable only from inside the environment's network.")
@click.option("--check", "target", default="TCP:80", show_default=True, help="Target of the health check.")
@click.option("--check-interval", default=30, show_default=True, help="In seconds.")
@click.option("--check-timeout", default=5, show_default=True, help="In seconds.")
@click.option("--healthy", default=2, show_default=True, help="Checks to pass before a copy is in service.")
@click.option("--unhealthy", default=2, show_default=True, help="Checks to fail before it is out of service.")
@click.option("--idle-timeout", default=60, show_default=True, help="In seconds.")
@click.option(
    "--cross-zone/--no-cross-zone",
    default=None,
    help="Spread requests over all zones  [default: unchanged; yes for a new one]",
)
@json_option
def create(
    environment: str,
    balancer: str,
    *,
    ports: tuple[str, ...],
    certificate: str,
    private: bool,
    target: str,
    check_interval: int,
    check_timeout: int,
    healthy: int,
    unhealthy: int,
    idle_timeout: int,
    cross_zone: bool | None,
    as_json: bool,
) -> None:
    """Create BALANCER, or change an existing one to match the options."""
    from ecr_widgets.model.layer0_load_balancer import HealthCheck, Port

    done = ecr_widgets.connect().layer0.create_load_balancer(
        environment,
        balancer,
        [Port.parse(each, certificate=certificate) for each in ports],
        health_check=HealthCheck(target, check_interval, check_timeout, healthy, unhealthy),
        idle_timeout=idle_timeout,
        is_public=not private,
        cross_zone=cross_zone,
    )
    word = "created or changed" if done.changed else "already exists"
    tell(done, f"{balancer} ({done.load_balancer_id}) at {done.url}: {word}", as_json=as_json)


@command.command()
@click.argument("environment")
@click.argument("balancer")
@timeout_option(900.0)
@json_option
def delete(environment: str, balancer: str, *, timeout_s: float, as_json: bool) -> None:
    """Delete BALANCER and wait until it is gone; no error if it does not exist."""
    done = ecr_widgets.connect().layer0.delete_load_balancer(environment, balancer, timeout_s=timeout_s)
    tell(done, f"{balancer}: {'deleted' if done.changed else 'did not exist'}", as_json=as_json)
