"""What can be done in the deploy panel; each action makes a plan first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ecr_widgets.errors import EcrWidgetsError, InputError, InvalidReference
from ecr_widgets.model.amounts import ago
from ecr_widgets.model.image_reference import ImageReference, check_repository_name
from ecr_widgets.panels import scripts
from ecr_widgets.panels.offers import Action, Field, Values
from ecr_widgets.panels.plans import Plan
from ecr_widgets.panels.variables import parsed_variables, without_secrets

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.model.registry import Image
    from ecr_widgets.panels.deploys import DeploysPanel
    from ecr_widgets.steps.shared.service_view import ServiceView

Choice = tuple[str, str, "Sequence[Image]"]
"""A running container, the repository of its image, and the images there."""
_OFFERED = 200
_FROM, _RUNS, _FILE = "from", "what runs now", "a file"
_NOTHING = ("nothing would change: the service already runs this",)
_NO_OTHER = ("nothing would change: that many copies are already wanted",)


def of_service(panel: DeploysPanel) -> Sequence[Action]:
    """Deploy; roll back and scale if the service exists; run a task if a deploy is stored."""
    view = panel.view
    stored = tuple(each.deploy_id for each in view.stored)[:_OFFERED] if view is not None else ()
    actions = [_deploying(panel)]
    if view is not None and view.service is not None:
        actions += [_going_back(panel, view), _scaling(panel, view.service.desired_count)]
    if stored:
        actions.append(_running_a_task(panel, stored))
    return actions


def _deploying(panel: DeploysPanel) -> Action:
    choices = panel.choices()
    by_file = (_FROM, _FILE) if choices else None
    stored_as = (panel.view.deploy_name if panel.view is not None else "") or panel.service
    return Action(
        "deploy",
        "Deploy",
        "Deploy an image: shows what would change",
        # A form may be sent that was offered before the service changed.
        lambda values: _plan_deploy(panel, choices, values),
        (
            *(_running_fields(panel, choices) if choices else ()),
            Field("image", "Image", hint="repository:tag", required=True, when=by_file),
            Field(
                "dockerrun", "Dockerrun", "Dockerrun.aws.json", hint="its file", required=True, when=by_file
            ),
            Field(
                "name",
                "Store deploy as",
                re.sub(r"[^A-Za-z0-9_-]", "-", stored_as),
                hint="its name",
                required=True,
                when=by_file,
            ),
            Field("of", "Container", hint="needed if there are several", when=by_file),
            Field("back", "Roll back on failure", value=True, hint="if it does not become stable"),
        ),
        go="Plan deploy …",
        why_not=_why_not,
        asks_why=True,
    )


def _running_fields(panel: DeploysPanel, choices: Sequence[Choice]) -> Iterator[Field]:
    """The fields for using the running document: which container, if there are several, and which tag."""
    yield Field(
        _FROM,
        "Document",
        _RUNS,
        hint="its image is replaced",
        options=(_RUNS, _FILE),
        kind="choice",
    )
    names = tuple(container for container, *_ in choices)
    several = len(choices) > 1
    if several:
        yield Field("container", "Of container", names[0], options=names, kind="choice", when=(_FROM, _RUNS))
    now = panel.drawn_at
    running = {image.partition("@")[2] for _, image in panel.view.containers} if panel.view else set()
    for number, (container, repository, images) in enumerate(choices):
        shown = [(tag, each) for each in images for tag in each.tags][:_OFFERED]
        labels = tuple(
            f"{tag} · {ago(now - each.pushed_at)} · {each.digest[7:19]}"
            + (" · runs now" if each.digest in running else "")
            for tag, each in shown
        )
        newest = next((tag for tag, each in shown if each.digest not in running), shown[0][0])
        yield Field(
            f"tag{number}",
            "Tag",
            newest,
            hint=f"of {repository}, newest first",
            options=tuple(tag for tag, _ in shown),
            labels=labels,
            kind="list",
            required=True,
            when=("container", container) if several else (_FROM, _RUNS),
        )


def _why_not(values: Values) -> str:
    if values.get(_FROM, _FILE) == _FILE:
        _image(values["image"])
    return ""


def _plan_deploy(panel: DeploysPanel, choices: Sequence[Choice], values: Values) -> None:
    view = panel.view
    if values.get(_FROM) == _RUNS:
        number = next((at for at in range(len(choices)) if values.get(f"tag{at}")), None)
        if number is None or view is None:
            panel.refuse(InputError("what runs has changed in the meantime", hint="choose again"))
            return
        container, repository, _ = choices[number]
        shown, path, name = f"{repository}:{values[f'tag{number}']}", "", view.deploy_name or panel.service
        of: str | None = container
    else:
        shown, path, name, of = values["image"], values["dockerrun"], values["name"], values["of"] or None
    wanted = _image(shown)
    reference = wanted.digest or wanted.tag or ""
    on_failure = "rollback" if values["back"] else "stop"

    def look(kit: Kit) -> Plan:
        repository = kit.name_of(wanted)
        pinned = kit.look.pinned(repository, reference)
        if pinned.digest is None:
            raise InputError(
                f"{repository!r} has no image {reference!r}", hint="push it first, or list the images"
            )
        current = view.deploy_id if view is not None else None
        lines = kit.look.difference(panel.environment, current, path, pinned, container=of)
        script = scripts.DEPLOY.using(
            repository=repository,
            # The digest that was shown: the tag may move before this is confirmed.
            digest=pinned.digest,
            deploy=name,
            dockerrun=path,
            container=of,
            environment=panel.environment,
            service=panel.service,
            on_failure=on_failure,
        )
        return panel.confirmable(f"deploy {shown} to {panel.target}", lines or _NOTHING, script)

    panel.work_out(f"plan a deploy to {panel.target}", look)


def _going_back(panel: DeploysPanel, view: ServiceView) -> Action:
    proven = [each.deploy_id for each in view.stored if each.deploy_id in view.proven]
    proven = [each for each in proven if each != view.deploy_id]
    proven.sort(key=lambda each: view.proven[each].at, reverse=True)
    default = view.earlier_deploy_id
    if not proven and default is not None and default != view.deploy_id:
        proven = [default]  # no saved run proves a deploy, but there must be a way back
    labels = {each: _described(panel, view, each) for each in proven}
    return Action(
        "rollback",
        "Roll back",
        "Go back to an earlier deploy: shows what would change",
        lambda values: _plan_rollback(panel, values["to"]),
        (
            Field(
                "to",
                "Back to",
                default if default in labels else next(iter(labels), ""),
                hint="deploys that a saved run proves",
                options=tuple(labels) or ("",),
                labels=tuple(labels.values()) or ("no other deploy is proven",),
                kind="choice",
                required=True,
            ),
        ),
        go="Plan rollback …",
        asks_why=True,
    )


def _described(panel: DeploysPanel, view: ServiceView, deploy_id: str) -> str:
    """A deploy to roll back to: its tag, when it was verified and by whom."""
    tags = [tag for image in panel.images_of(deploy_id) for tag in panel.tags_of(image)[:1]]
    proof = view.proven.get(deploy_id)
    if proof is None:
        return " · ".join((deploy_id, *tags, "proven by no saved run"))
    by = f" by {proof.actor}" if proof.actor else ""
    return " · ".join((deploy_id, *tags, f"verified {ago(panel.drawn_at - proof.at)}{by}"))


def _plan_rollback(panel: DeploysPanel, wanted: str) -> None:
    current = panel.view.deploy_id if panel.view is not None else None
    if not current:
        panel.refuse(InputError("nothing runs that could be rolled back", hint="deploy first"))
        return
    running = current

    def look(kit: Kit) -> Plan:
        images = kit.look.deploy_images(panel.environment, wanted)
        can_be_proven = any(_is_pinned(kit, image) for image in images)
        script = scripts.ROLLBACK_TO_DIGEST if can_be_proven else scripts.ROLLBACK
        return panel.confirmable(
            f"roll {panel.target} back to {wanted}",
            kit.look.between(panel.environment, running, wanted) or _NOTHING,
            script.using(environment=panel.environment, service=panel.service, to_deploy=wanted),
        )

    panel.work_out(f"plan a rollback of {panel.target}", look)


def _is_pinned(kit: Kit, text: str) -> bool:
    """Whether it names an image of this registry by digest."""
    try:
        image = ImageReference.parse(text)
        return bool(image.digest and kit.name_of(image))
    except InvalidReference:
        return False


def _scaling(panel: DeploysPanel, wanted: int) -> Action:
    return Action(
        "scale",
        "Scale",
        "Run more or fewer copies",
        lambda values: _plan_scaling(panel, values["copies"]),
        (Field("copies", "Copies", wanted, most=1000),),
        go="Plan scaling …",
        asks_why=True,
    )


def _plan_scaling(panel: DeploysPanel, count: int) -> None:
    service = panel.view.service if panel.view is not None else None
    if service is None:
        panel.refuse(InputError(f"{panel.target} does not exist yet", hint="deploy first"))
        return
    panel.offer(
        panel.confirmable(
            f"scale {panel.target} to {count}",
            (f"changed copies: {service.desired_count} → {count}",)
            if count != service.desired_count
            else _NO_OTHER,
            scripts.SCALE.using(environment=panel.environment, service=panel.service, copies=count),
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
                hint="NAME=value, one per line; CONTAINER NAME=value for another container; no secrets",
                kind="lines",
            ),
            Field("container", "In container", hint="whose variables"),
        ),
        go="Plan task …",
        asks_why=True,
    )


def _plan_task(panel: DeploysPanel, values: Values) -> None:
    deploy, task = values["deploy"], values["task"]
    try:
        variables = parsed_variables(values["variables"], values["container"])
    except EcrWidgetsError as error:
        # What looks like a secret is removed from the field, so that it does not stay on the screen.
        panel.put_back("task", "", {"variables": without_secrets(values["variables"])})
        panel.refuse(error)
        return
    names = ", ".join(f"{of} {each}" for of in sorted(variables) for each in sorted(variables[of]))
    with_values = f" with {names} set" if variables else ""
    panel.offer(
        Plan(
            f"run task {task} of {deploy} in {panel.environment}",
            (f"once{with_values}; its exit codes and last log lines are recorded",),
            scripts.TASK.using(
                environment=panel.environment, task=task, deploy_id=deploy, variables=variables or None
            ),
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
