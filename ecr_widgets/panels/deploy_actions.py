"""What can be done in the deploy panel: each works out a plan first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ecr_widgets.errors import EcrWidgetsError, InputError, InvalidReference
from ecr_widgets.model.image_reference import ImageReference, check_repository_name
from ecr_widgets.panels.base import Plan
from ecr_widgets.panels.offers import Action, Field, Values
from ecr_widgets.panels.variables import parsed_variables, without_secrets

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.panels.deploys import DeploysPanel

_OFFERED = 200
_NOTHING = ("nothing would change: the service already runs this",)


def of_service(panel: DeploysPanel) -> Sequence[Action]:
    """Deploy; and once a deploy is stored, go back, scale, run a task."""
    view = panel.view
    stored = tuple(each.deploy_id for each in view.stored)[:_OFFERED] if view is not None else ()
    actions = [_deploying(panel)]
    if view is not None and view.service is not None:
        earlier = tuple(each for each in stored if each != view.deploy_id)
        actions += [_going_back(panel, earlier), _scaling(panel, view.service.desired_count)]
    if stored:
        actions.append(_running_a_task(panel, stored))
    return actions


def _deploying(panel: DeploysPanel) -> Action:
    stored_as = (panel.view.deploy_name if panel.view is not None else "") or panel.service

    def why_not(values: Values) -> str:
        _image(values["image"])
        return ""

    return Action(
        "deploy",
        "Deploy",
        "Deploy an image: shows what would change",
        lambda values: _plan_deploy(panel, values),
        (
            Field("image", "Image", hint="repository:tag", required=True),
            Field("dockerrun", "Dockerrun", "Dockerrun.aws.json", hint="its file", required=True),
            Field(
                "name",
                "Store deploy as",
                re.sub(r"[^A-Za-z0-9_-]", "-", stored_as),
                hint="its name",
                required=True,
            ),
            Field("container", "Container", hint="needed if there are several"),
            Field("back", "Roll back on failure", value=True, hint="if it does not become stable"),
        ),
        go="Plan deploy …",
        why_not=why_not,
    )


def _plan_deploy(panel: DeploysPanel, values: Values) -> None:
    shown, name, path = values["image"], values["name"], values["dockerrun"]
    of, on_failure = values["container"] or None, "rollback" if values["back"] else "stop"
    wanted = _image(shown)
    reference = wanted.digest or wanted.tag or ""

    def look(kit: Kit) -> Plan:
        repository = kit.name_of(wanted)
        pinned = kit.look.pinned(repository, reference)
        if pinned.digest is None:
            raise InputError(
                f"{repository!r} has no image {reference!r}", hint="push it first, or list the images"
            )
        digest = pinned.digest
        current = panel.view.deploy_id if panel.view is not None else None
        lines = kit.look.difference(panel.environment, current, path, pinned, container=of)

        def deploy(acting: Kit) -> None:
            # By the digest that was shown: the tag may move until this is confirmed.
            found = acting.find_image(repository, digest)
            stored = acting.create_deploy(
                name, path, image=found.image, container=of, environment=panel.environment
            )
            service = acting.deploy_service(panel.environment, panel.service, stored)
            acting.wait(service, on_failure=on_failure)
            acting.verify(service, found, container=of)

        return panel.confirmable(f"deploy {shown} to {panel.target}", lines or _NOTHING, deploy)

    panel.work_out(f"plan a deploy to {panel.target}", look)


def _going_back(panel: DeploysPanel, earlier: tuple[str, ...]) -> Action:
    view = panel.view
    default = view.earlier_deploy_id if view is not None else None
    # Where no deploy was proven nobody is led to one: it has to be chosen.
    first = default if default in earlier else ""
    options = earlier if first else ("", *earlier)
    return Action(
        "rollback",
        "Roll back",
        "Go back to an earlier deploy: shows what would change",
        lambda values: _plan_rollback(panel, values["to"]),
        (Field("to", "Back to", first, options=options, kind="choice", required=True),),
        go="Plan rollback …",
    )


def _plan_rollback(panel: DeploysPanel, wanted: str) -> None:
    current = panel.view.deploy_id if panel.view is not None else None
    if not current:
        panel.refuse(InputError("no deploy runs that could be rolled back", hint="deploy first"))
        return
    running = current

    def look(kit: Kit) -> Plan:
        return panel.confirmable(
            f"roll {panel.target} back to {wanted}",
            kit.look.between(panel.environment, running, wanted) or _NOTHING,
            lambda acting: acting.rollback(
                acting.find_service(panel.environment, panel.service), deploy_id=wanted
            ),
        )

    panel.work_out(f"plan a rollback of {panel.target}", look)


def _scaling(panel: DeploysPanel, wanted: int) -> Action:
    return Action(
        "scale",
        "Scale",
        "Run more or fewer copies",
        lambda values: _plan_scaling(panel, values["copies"]),
        (Field("copies", "Copies", wanted, most=1000),),
        go="Plan scaling …",
    )


def _plan_scaling(panel: DeploysPanel, count: int) -> None:
    service = panel.view.service if panel.view is not None else None
    if service is None:
        panel.refuse(InputError(f"{panel.target} does not exist yet", hint="deploy first"))
        return
    panel.offer(
        panel.confirmable(
            f"scale {panel.target} to {count}",
            (f"{service.desired_count} copies are wanted now",),
            lambda acting: acting.layer0.scale_service(panel.environment, panel.service, count),
        )
    )


def _running_a_task(panel: DeploysPanel, stored: tuple[str, ...]) -> Action:
    return Action(
        "task",
        "Run a task",
        "Run a stored deploy once",
        lambda values: _plan_task(panel, values),
        (
            Field("deploy", "Run deploy", hint="which one", options=stored, required=True),
            Field("task", "As task", hint="its name", required=True),
            Field(
                "variables",
                "Set variables",
                hint="NAME=value, one a line; CONTAINER NAME=value for another container; no secrets",
                kind="lines",
            ),
            Field("container", "In container", hint="whose variables"),
        ),
        go="Plan task …",
    )


def _plan_task(panel: DeploysPanel, values: Values) -> None:
    deploy, task = values["deploy"], values["task"]
    try:
        variables = parsed_variables(values["variables"], values["container"])
    except EcrWidgetsError as error:
        # What looks like a secret goes from the field: it is not to stay on a screen.
        panel.put_back("task", "", {"variables": without_secrets(values["variables"])})
        panel.refuse(error)
        return
    names = ", ".join(f"{of} {each}" for of in sorted(variables) for each in sorted(variables[of]))
    with_values = f" with {names} set" if variables else ""
    panel.offer(
        Plan(
            f"run task {task} of {deploy} in {panel.environment}",
            (f"once{with_values}; its exit codes and last log lines are recorded",),
            lambda acting: acting.create_task(panel.environment, task, deploy, env_vars=variables or None),
        )
    )


def _image(typed: str) -> ImageReference:
    """An image as typed: by tag or digest, with the registry or without.

    Raises:
        InvalidReference: It is not a reference, or has neither tag nor digest.
    """
    image = ImageReference.parse(typed.strip())
    check_repository_name(image.repository)
    if image.tag is None and image.digest is None:
        raise InvalidReference(
            f"{typed.strip()!r} names neither tag nor digest", hint=f"type {image.repository}:TAG"
        )
    return image
