"""The controls of the deploy panel: each works out a plan first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ecr_widgets.errors import EcrWidgetsError, InputError, InvalidReference
from ecr_widgets.model.image_reference import ImageReference, check_repository_name
from ecr_widgets.panels import controls as made
from ecr_widgets.panels.base import Plan
from ecr_widgets.panels.variables import parsed_variables, without_secrets

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.panels.deploys import DeploysPanel
    from ecr_widgets.steps.shared.service_view import ServiceView

_OFFERED = 200
_NOTHING = ("nothing would change: the service already runs this",)


class DeployControls:
    """Widgets of one deploy panel."""

    def __init__(self, panel: DeploysPanel) -> None:
        self._panel = panel
        self._name = made.text("Store deploy as", "its name")
        self._earlier = made.choice("Back to", ())
        self._copies = made.number("Copies", 1, most=1000)
        self._counted: int | None = None
        self._offered: tuple[str | None, tuple[str, ...]] = (None, ())
        self._task_deploy = made.suggestion("Run deploy", "which one")
        self._watch = made.tick("watch: look every other second")
        self._watch.observe(lambda change: panel.watch(on=change["new"]), "value")
        self.widget = made.rows(
            self._watch,
            made.group("Deploy an image", *self._deploying()),
            made.group("Roll back or scale", self._going_back(), self._scaling()),
            made.group("Run a task", *self._running_a_task()),
        )

    def offer(self, view: ServiceView | None) -> None:
        """Offer the deploys that are stored."""
        self._watch.value = self._panel.is_watched  # a long watch ends by itself
        if view is None:
            return
        wanted = view.service.desired_count if view.service is not None else None
        if wanted is not None and wanted != self._counted:
            self._counted = self._copies.value = wanted
        if not self._name.value:
            self._name.value = re.sub(r"[^A-Za-z0-9_-]", "-", view.deploy_name or self._panel.service)
        stored = tuple(each.deploy_id for each in view.stored)[:_OFFERED]
        choices = (view.deploy_id, stored)
        if choices != self._offered:
            self._offered = choices
            self._task_deploy.options = stored
            self._earlier.options = tuple(each for each in stored if each != view.deploy_id)
            default = view.earlier_deploy_id
            self._earlier.value = default if default in self._earlier.options else None

    def _deploying(self) -> list[Any]:
        image = made.text("Image", "repository:tag", wide=True)
        dockerrun = made.text("Dockerrun", value="Dockerrun.aws.json", wide=True)
        container = made.text("Container", "needed if several", wide=True)
        back = made.tick("roll back if it does not become stable", value=True)
        panel = self._panel

        def plan() -> None:
            wanted = _image(image.value)
            shown = image.value.strip()
            reference = wanted.digest or wanted.tag or ""
            name, path = self._name.value.strip(), dockerrun.value.strip()
            of, on_failure = container.value.strip() or None, "rollback" if back.value else "stop"

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

        def why_not() -> str:
            _image(image.value)
            return ""

        button = made.button("Plan deploy …", "Show what would change", plan)
        hint = made.needs(button, [image, dockerrun, self._name], why_not)
        return [made.row(image, dockerrun), made.row(self._name, container, back), made.row(button, hint)]

    def _going_back(self) -> Any:
        panel = self._panel

        def plan() -> None:
            wanted = self._earlier.value
            current = panel.view.deploy_id if panel.view is not None else None
            if not wanted or not current:
                panel.refuse(
                    InputError("no deploy to roll back to is chosen", hint="choose one, or deploy first")
                )
                return

            def look(kit: Kit) -> Plan:
                return panel.confirmable(
                    f"roll {panel.target} back to {wanted}",
                    kit.look.between(panel.environment, current, wanted) or _NOTHING,
                    lambda acting: acting.rollback(
                        acting.find_service(panel.environment, panel.service), deploy_id=wanted
                    ),
                )

            panel.work_out(f"plan a rollback of {panel.target}", look)

        return made.row(self._earlier, made.button("Plan rollback …", "Show what would change", plan))

    def _scaling(self) -> Any:
        panel, copies = self._panel, self._copies

        def plan() -> None:
            count = copies.value
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

        return made.row(copies, made.button("Plan scaling …", "Show what would change", plan))

    def _running_a_task(self) -> list[Any]:
        name = made.text("As task", "its name")
        container = made.text("In container", "whose variables", wide=True)
        variables = made.lines("Set variables", "NAME=value\nNAME=value, with commas\nCONTAINER NAME=value")
        panel = self._panel

        def plan() -> None:
            deploy, task = self._task_deploy.value.strip(), name.value.strip()
            try:
                values = parsed_variables(variables.value, container.value.strip())
            except EcrWidgetsError as error:
                # What looks like a secret goes from the field: front ends save what widgets hold.
                variables.value = without_secrets(variables.value)
                panel.refuse(error)
                return
            names = ", ".join(f"{of} {each}" for of in sorted(values) for each in sorted(values[of]))
            with_values = f" with {names} set" if values else ""
            panel.offer(
                Plan(
                    f"run task {task} of {deploy} in {panel.environment}",
                    (f"once{with_values}; its exit codes and last log lines are recorded",),
                    lambda acting: acting.create_task(
                        panel.environment, task, deploy, env_vars=values or None
                    ),
                )
            )

        button = made.button("Plan task …", "Show what would run", plan)
        hint = made.needs(button, [self._task_deploy, name], lambda: "")
        return [made.row(self._task_deploy, name), made.row(variables, container), made.row(button, hint)]


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
