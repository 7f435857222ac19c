"""Deploys: stored Dockerruns, numbered per name; no number is used twice."""

from __future__ import annotations

import re

from ecr_widgets.sandbox.layer0.api_errors import ApiError, Code, aws_error
from ecr_widgets.sandbox.layer0.bodies import CreateDeploy
from ecr_widgets.sandbox.layer0.dockerrun import parse
from ecr_widgets.sandbox.layer0.entities import Deploy
from ecr_widgets.sandbox.layer0.identifiers import family
from ecr_widgets.sandbox.layer0.logic.world import Wire, World
from ecr_widgets.sandbox.layer0.render import render

_FAMILY = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""What ECS accepts as a task definition's family."""


def list_all(world: World) -> list[Wire]:
    """`GET /deploy`: excludes deleted ones."""
    return [world.shapes.deploy_summary(each) for each in world.store.deploys.values() if not each.deleted]


def create(world: World, body: CreateDeploy) -> Wire:
    """`POST /deploy`."""
    name = body.deploy_name
    if not name:
        raise ApiError(Code.MISSING_PARAMETER, "DeployName is required")
    if "." in name:
        raise ApiError(Code.INVALID_DEPLOY_ID, "Deploy names cannot contain '.'")
    document = parse(body.dockerrun, name)
    if not _FAMILY.fullmatch(family(name)):
        raise aws_error("Family contains invalid characters.")
    version = world.store.next_version(name)
    made = Deploy(
        f"{name}.{version}",
        name,
        version,
        render(name, document),
        document.containerDefinitions,
        document.volumes,
    )
    world.store.save(made)
    world.store.tag("deploy", made.deploy_id, name=name, version=str(version))
    return world.shapes.deploy(made)


def delete(world: World, deploy_id: str) -> str:
    """`DELETE /deploy/{id}`; services that run it keep running."""
    deploy = world.store.deploy(deploy_id)
    if deploy is None:
        raise aws_error("Unable to describe task definition.")
    deploy.deleted = True
    world.store.save(deploy)
    world.store.drop_tags("deploy", deploy_id)
    return ""
