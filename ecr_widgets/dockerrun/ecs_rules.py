"""What ECS wants of a task definition that Layer0 never gives it. Each refusal names its place.

Source: Amazon ECS API, RegisterTaskDefinition and ContainerDefinition, and the refusals of RegisterTaskDefinition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecr_widgets.dockerrun.fargate import check_fargate, is_fargate
from ecr_widgets.dockerrun.reading import shorten, step
from ecr_widgets.dockerrun.secret_references import check_secrets
from ecr_widgets.dockerrun.task_size import cpu_units, memory_mib
from ecr_widgets.errors import InvalidDockerrun, InvalidReference
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import registry_id_of

_Container = Mapping[str, Any]

_NOT_IN_AWSVPC = ("links", "extraHosts", "hostname")
_NEEDS_ROLE = ("secrets", "repositoryCredentials", "environmentFiles")
_PORT_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_MOST_FILES = 10
_MOST_EXIT_CODES = 50
_RESTART_S = (60, 1800)


def check_for_ecs(
    document: Mapping[str, Any], containers: Sequence[_Container], root: str, *, images: bool
) -> None:
    """Refuse what RegisterTaskDefinition would, or what could never start.

    Members are of their types and spelled as ECS does.

    Args:
        images: False if the run sets an image, which is then one of ECR.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    _check_size(document, containers, root)
    at = step(root, "containerDefinitions")
    mode = document.get("networkMode", "bridge")
    for number, container in enumerate(containers):
        place = step(at, number)
        _check_ports(container, mode, place)
        _check_restarts(container, place)
        _check_files(container, place)
        _check_logging(container, place, is_fargate=is_fargate(document))
        taken = [item.get("name") for item in container.get("environment", ())]
        check_secrets(container.get("secrets", ()), step(place, "secrets"), taken)
    if is_fargate(document):
        check_fargate(document, root)
    if not document.get("executionRoleArn"):
        for place, what in _needs_execution_role(document, containers, at, images=images):
            raise InvalidDockerrun(
                f"{what} needs an execution role", pointer=place, hint='add "executionRoleArn" to the task'
            )


def _check_size(document: Mapping[str, Any], containers: Sequence[_Container], root: str) -> None:
    """Sizes that can be read, and no container beyond that of its task."""
    for wanted, read, examples in (
        ("cpu", cpu_units, '"256" or "0.25 vCPU"'),
        ("memory", memory_mib, '"512" (MiB) or "0.5 GB"'),
    ):
        text = document.get(wanted)
        if not text:
            continue
        size = read(text)
        if not size:
            raise InvalidDockerrun(
                f"{shorten(text)} is no size of a task's {wanted}",
                pointer=step(root, wanted),
                hint=f"such as {examples}",
            )
        if wanted == "memory":
            used = sum(each.get("memoryReservation") or each.get("memory") or 0 for each in containers)
        else:
            used = sum(each.get("cpu", 0) for each in containers) if is_fargate(document) else 0
        if used > size:
            raise InvalidDockerrun(
                f"the containers reserve {used} of the task's {size}",
                pointer=step(root, wanted),
                hint=f"raise the task's {wanted}, or lower the containers'",
            )


def _check_ports(container: _Container, mode: str, at: str) -> None:
    for number, mapping in enumerate(container.get("portMappings", ())):
        place = step(step(at, "portMappings"), number)
        port, ports = mapping.get("containerPort"), mapping.get("containerPortRange")
        if mode == "none":
            raise InvalidDockerrun("network mode none has no ports", pointer=place, hint="remove it")
        if (port is None) == (ports is None):
            raise InvalidDockerrun(
                "both containerPort and containerPortRange" if port else "no containerPort",
                pointer=place,
                hint="give one of containerPort and containerPortRange",
            )
        match = _PORT_RANGE.fullmatch(ports) if ports is not None else None
        if ports is not None and not (match and 1 <= int(match[1]) < int(match[2]) <= 65535):
            raise InvalidDockerrun(
                f"{shorten(ports)} is no range of ports",
                pointer=step(place, "containerPortRange"),
                hint='such as "8000-8010"',
            )
    if mode == "awsvpc":
        for name in _NOT_IN_AWSVPC:
            if container.get(name):
                raise InvalidDockerrun(
                    f"network mode awsvpc has no {name}", pointer=step(at, name), hint="remove it"
                )


def _check_restarts(container: _Container, at: str) -> None:
    policy = container.get("restartPolicy", {})
    period = policy.get("restartAttemptPeriod", _RESTART_S[0])
    if not _RESTART_S[0] <= period <= _RESTART_S[1]:
        raise InvalidDockerrun(
            f"ECS does not take {period} here",
            pointer=f"{at}/restartPolicy/restartAttemptPeriod",
            hint=f"{_RESTART_S[0]} to {_RESTART_S[1]} seconds",
        )
    if len(policy.get("ignoredExitCodes", ())) > _MOST_EXIT_CODES:
        raise InvalidDockerrun(
            f"more than {_MOST_EXIT_CODES} exit codes",
            pointer=f"{at}/restartPolicy/ignoredExitCodes",
            hint="ECS takes no more",
        )


def _check_files(container: _Container, at: str) -> None:
    files = container.get("environmentFiles", ())
    if len(files) > _MOST_FILES:
        raise InvalidDockerrun(
            f"{len(files)} environment files",
            pointer=step(at, "environmentFiles"),
            hint=f"ECS takes {_MOST_FILES}",
        )
    for number, item in enumerate(files):
        if not (item["value"].startswith("arn:") and item["value"].endswith(".env")):
            raise InvalidDockerrun(
                "not the ARN of a file in S3 that ends in .env",
                pointer=f"{at}/environmentFiles/{number}/value",
                hint="such as arn:aws:s3:::bucket/app.env",
            )
    for number, spec in enumerate(container.get("credentialSpecs", ())):
        if number or not spec.startswith(("credentialspec:arn:", "credentialspecdomainless:arn:")):
            raise InvalidDockerrun(
                "ECS takes one credential spec" if number else "not a credential spec",
                pointer=f"{at}/credentialSpecs/{number}",
                hint="one credentialspec:ARN or credentialspecdomainless:ARN",
            )


def _check_logging(container: _Container, at: str, *, is_fargate: bool) -> None:
    logging = container.get("logConfiguration", {})
    if logging.get("logDriver") != "awslogs":
        return
    for wanted in ("awslogs-group", "awslogs-region", *(("awslogs-stream-prefix",) if is_fargate else ())):
        if not logging.get("options", {}).get(wanted):
            raise InvalidDockerrun(
                f"log driver awslogs without {wanted}",
                pointer=f"{at}/logConfiguration/options",
                hint=f'add "{wanted}"',
            )


def _needs_execution_role(
    document: Mapping[str, Any], containers: Sequence[_Container], at: str, *, images: bool
) -> Iterator[tuple[str, str]]:
    """Places that ECS needs a role for before the container runs, and what they hold."""
    for number, container in enumerate(containers):
        place = step(at, number)
        yield from ((step(place, name), name) for name in _NEEDS_ROLE if container.get(name))
        logging = container.get("logConfiguration", {})
        if logging.get("secretOptions"):
            yield f"{place}/logConfiguration/secretOptions", "secretOptions"
        if is_fargate(document):
            if logging.get("logDriver") == "awslogs":
                yield f"{place}/logConfiguration/logDriver", "log driver awslogs on Fargate"
            if not images or _is_of_ecr(container.get("image", "")):
                yield step(place, "image"), "an image of ECR on Fargate"


def _is_of_ecr(image: str) -> bool:
    try:
        return registry_id_of(ImageReference.parse(image).registry or "") is not None
    except InvalidReference:
        return False
