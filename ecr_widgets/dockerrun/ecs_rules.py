"""Rules for task definitions that only apply to ECS, since Layer0 never sends these settings. Each refusal names its place.

Source: Amazon ECS API, RegisterTaskDefinition and ContainerDefinition, and what RegisterTaskDefinition refuses; Developer
Guide, "Pass sensitive data to an Amazon ECS container"; the ECS agent accepts a Secrets Manager ARN with none or all of
`:json-key:version-stage:version-id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ecr_widgets.dockerrun.fargate import check_fargate, is_fargate
from ecr_widgets.dockerrun.places import check_forms, check_limits, check_words, places, refuse
from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.dockerrun.task_size import cpu_units, memory_mib
from ecr_widgets.errors import InvalidDockerrun, InvalidReference
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import registry_id_of

_CONTAINER = "containerDefinitions/*"
_PORTS = f"{_CONTAINER}/portMappings"
_NOT_IN_AWSVPC = tuple(f"{_CONTAINER}/{name}" for name in ("links", "extraHosts", "hostname"))
_NEEDS_ROLE = tuple(
    f"{_CONTAINER}/{name}"
    for name in ("secrets", "repositoryCredentials", "environmentFiles", "logConfiguration/secretOptions")
)
_LIMITS = {
    "tags": (0, 50),
    "placementConstraints": (0, 10),
    f"{_CONTAINER}/credentialSpecs": (0, 1),
    f"{_CONTAINER}/environmentFiles": (0, 10),
    f"{_CONTAINER}/restartPolicy/ignoredExitCodes": (0, 50),
    f"{_CONTAINER}/restartPolicy/restartAttemptPeriod": (60, 1800),
}
_ARN = r"arn:aws[a-z-]*:"
_SECRET = (
    re.compile(
        _ARN + r"secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+(?::[^:]*:[^:]*:[^:]*)?"
        rf"|{_ARN}ssm:[a-z0-9-]+:\d{{12}}:parameter/[\w./-]+"
        r"|/?[\w.-]+(?:/[\w.-]+)*",
        re.ASCII,
    ),
    "it names no secret of Secrets Manager and no parameter of SSM",
    "give a secret's ARN, with none or all of :json-key:version-stage:version-id, or a parameter's ARN or name",
)
_FORMS = {
    f"{_CONTAINER}/secrets/*/valueFrom": _SECRET,
    f"{_CONTAINER}/logConfiguration/secretOptions/*/valueFrom": _SECRET,
    f"{_CONTAINER}/environmentFiles/*/value": (
        re.compile(_ARN + r"s3:::\S+\.env"),
        "not the ARN of a file in S3 that ends in .env",
        "such as arn:aws:s3:::bucket/app.env",
    ),
    f"{_CONTAINER}/credentialSpecs/*": (
        re.compile(rf"credentialspec(?:domainless)?:{_ARN}\S+"),
        "not a credential spec",
        "give credentialspec:ARN or credentialspecdomainless:ARN",
    ),
    f"{_PORTS}/*/containerPortRange": (
        re.compile(r"\d{1,5}-\d{1,5}", re.ASCII),
        "not a range of ports",
        'such as "8000-8010"',
    ),
}


def check_for_ecs(document: Mapping[str, Any], root: str, *, images: bool) -> None:
    """Refuse what RegisterTaskDefinition would refuse, or what could never start.

    The members' types are already checked, and their names are spelled as in ECS.

    Args:
        images: False if the run sets the image, which is then from ECR.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    _check_sizes(document, root)
    if is_fargate(document):
        check_fargate(document, root)
    _check_shares(document, root)
    check_limits(document, _LIMITS, root, "ECS")
    check_forms(document, _FORMS, root)
    _check_network(document, root)
    _check_logs(document, root)
    _check_secret_names(document, root)
    if not document.get("executionRoleArn"):
        for at, what in _needs_role(document, root, images=images):
            raise InvalidDockerrun(
                f"{what} needs an execution role", pointer=at, hint='add "executionRoleArn" to the task'
            )


def _check_sizes(document: Mapping[str, Any], root: str) -> None:
    for wanted, read, example in (
        ("cpu", cpu_units, '"256" or "0.25 vCPU"'),
        ("memory", memory_mib, '"512" (MiB) or "0.5 GB"'),
    ):
        for at, text in places(document, wanted, root):
            if not read(text):
                raise InvalidDockerrun(
                    f"{shorten(text)} is not a size of a task's {wanted}",
                    pointer=at,
                    hint=f"such as {example}",
                )


def _check_network(document: Mapping[str, Any], root: str) -> None:
    mode = document.get("networkMode")
    if mode == "awsvpc":
        refuse(document, _NOT_IN_AWSVPC, root, "network mode awsvpc", "remove it")
    if mode == "none":
        refuse(document, [_PORTS], root, "network mode none", "remove it")
    for at, mapping in places(document, f"{_PORTS}/*", root):
        given = [name for name in ("containerPort", "containerPortRange") if name in mapping]
        if len(given) != 1:
            raise InvalidDockerrun(
                " and ".join(given) or "no containerPort",
                pointer=at,
                hint="give one of containerPort and containerPortRange",
            )


def _check_shares(document: Mapping[str, Any], root: str) -> None:
    """Refuse containers that together reserve more than their task has."""
    containers = document["containerDefinitions"]
    reserved = {
        "memory": sum(each.get("memoryReservation") or each.get("memory") or 0 for each in containers)
    }
    if is_fargate(document):
        reserved["cpu"] = sum(each.get("cpu", 0) for each in containers)
    for wanted, read in (("memory", memory_mib), ("cpu", cpu_units)):
        size = read(document.get(wanted, ""))
        if size and reserved.get(wanted, 0) > size:
            raise InvalidDockerrun(
                f"the containers reserve {reserved[wanted]} of the task's {size}",
                pointer=step(root, wanted),
                hint=f"raise the task's {wanted}, or lower the containers'",
            )


def _check_logs(document: Mapping[str, Any], root: str) -> None:
    wanted = ("awslogs-group", "awslogs-region", *(("awslogs-stream-prefix",) * is_fargate(document)))
    if "MANAGED_INSTANCES" in document.get("requiresCompatibilities", ()):
        drivers = ("awslogs", "splunk", "awsfirelens", "json-file")
        check_words(
            document, f"{_CONTAINER}/logConfiguration/logDriver", drivers, root, "ECS on managed instances"
        )
    for at, logging in places(document, f"{_CONTAINER}/logConfiguration", root):
        missing = [name for name in wanted if not logging.get("options", {}).get(name)]
        if logging["logDriver"] == "awslogs" and missing:
            raise InvalidDockerrun(
                f"log driver awslogs without {', '.join(missing)}",
                pointer=step(at, "options"),
                hint=f'add "{missing[0]}"',
            )


def _check_secret_names(document: Mapping[str, Any], root: str) -> None:
    for at, container in places(document, _CONTAINER, root):
        taken = {item.get("name") for item in container.get("environment", ())}
        for place, name in places(container, "secrets/*/name", at):
            if name in taken:
                raise InvalidDockerrun(
                    f"variable {shorten(name)} is set twice", pointer=place, hint="keep one of them"
                )
            taken.add(name)


def _needs_role(document: Mapping[str, Any], root: str, *, images: bool) -> Iterator[tuple[str, str]]:
    """The places for which ECS needs a role before the container starts, and what is there."""
    for path in _NEEDS_ROLE:
        yield from ((at, path.rpartition("/")[2]) for at, _ in places(document, path, root))
    if not is_fargate(document):
        return
    for at, driver in places(document, f"{_CONTAINER}/logConfiguration/logDriver", root):
        if driver == "awslogs":
            yield at, "log driver awslogs on Fargate"
    for at, container in places(document, _CONTAINER, root):
        if not images or _is_of_ecr(container.get("image", "")):
            yield step(at, "image"), "an image of ECR on Fargate"


def _is_of_ecr(image: str) -> bool:
    try:
        return registry_id_of(ImageReference.parse(image).registry or "") is not None
    except InvalidReference:
        return False
