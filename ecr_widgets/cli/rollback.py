"""`ecr-widgets rollback`."""

from __future__ import annotations

import click

import ecr_widgets
from ecr_widgets.cli.printing import json_option, tell
from ecr_widgets.cli.waiting import timeout_option, wait_option


@click.command(name="rollback")
@click.argument("environment")
@click.argument("service")
@click.argument("deploy_id", required=False)
@timeout_option(600.0)
@wait_option("--wait")
@json_option
def command(
    environment: str,
    service: str,
    deploy_id: str | None,
    *,
    timeout_s: float,
    wait_if_busy_s: float,
    as_json: bool,
) -> None:
    """Roll SERVICE of ENVIRONMENT back to DEPLOY_ID, or to the last earlier deploy that a saved run verified."""
    kit = ecr_widgets.connect(wait_s=wait_if_busy_s)
    with kit.hold_service(environment, service):
        current = kit.find_service(environment, service)
        back = kit.rollback(current, deploy_id=deploy_id or current.previous_deploy_id, timeout_s=timeout_s)
    line = f"{service} runs {back.deploy_id}" + ("" if back.changed else ", as it did before")
    tell(back, line, as_json=as_json)
