"""The members that a Dockerrun may have, with their types; members that nothing reads are found here.

Source: Amazon ECS API, RegisterTaskDefinition; aws-sdk-go 1.30.4, with which the last Layer0 (2021) decodes containers,
volumes and placement constraints. Members that ECS has and that SDK lacks are dropped by Layer0 without a word.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_widgets.dockerrun.reading import kind_of, shorten, step
from ecr_widgets.errors import InvalidDockerrun

# Comments, and the version that Elastic Beanstalk wants: they are not expected to change anything.
_NO_SETTINGS = ("AWSEBDockerrunVersion", "_", "$", "//", "#", "x-")
_WORDS: Mapping[type, str] = {str: "text", int: "a whole number", bool: "true or false"}
_HINTS: Mapping[type, str] = {
    str: "quote it",
    int: "write it without quotes and point",
    bool: "write it without quotes",
}


@dataclass(frozen=True, slots=True)
class Words:
    """A text that is one of a few."""

    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of one kind."""

    item: Kind


@dataclass(frozen=True, slots=True)
class OwnTexts:
    """An object whose member names are people's own, such as labels."""


@dataclass(frozen=True, slots=True)
class Members:
    """An object."""

    kinds: Mapping[str, Kind]
    required: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    """Members that ECS has and Layer0 drops."""

    def find(self, key: str) -> str | None:
        """A read member's name as ECS spells it, whatever its case; None where it is not read.

        Source: Go's JSON decoder, which Layer0 uses, takes member names in any case.
        """
        return next((name for name in self.kinds if name.casefold() == key.casefold()), None)

    def has_unread(self, key: str) -> bool:
        """Whether ECS reads it, so that it is no typing error."""
        return key.casefold() in {name.casefold() for name in self.unread}


Kind = type[str] | type[int] | type[bool] | Words | Listed | OwnTexts | Members


def _words(text: str) -> Words:
    return Words(tuple(text.split()))


def _members(kinds: Mapping[str, Kind], *, required: str = "", unread: str = "") -> Members:
    return Members(kinds, frozenset(required.split()), frozenset(unread.split()))


_TEXTS = Listed(str)
_SECRETS = Listed(_members({"name": str, "valueFrom": str}, required="name valueFrom"))
_PORTS = _members(
    {"containerPort": int, "hostPort": int, "protocol": _words("tcp udp")},
    required="containerPort",
    unread="name appProtocol containerPortRange",
)
_LINUX = _members(
    {
        "capabilities": _members({"add": _TEXTS, "drop": _TEXTS}),
        "devices": Listed(
            _members(
                {
                    "hostPath": str,
                    "containerPath": str,
                    "permissions": Listed(_words("read write mknod")),
                },
                required="hostPath",
            )
        ),
        "initProcessEnabled": bool,
        "sharedMemorySize": int,
        "tmpfs": Listed(
            _members(
                {"containerPath": str, "size": int, "mountOptions": _TEXTS}, required="containerPath size"
            )
        ),
        "maxSwap": int,
        "swappiness": int,
    }
)
CONTAINER = _members(
    {
        **dict.fromkeys(("name", "image", "user", "workingDirectory", "hostname"), str),
        **dict.fromkeys(("memory", "memoryReservation", "cpu", "startTimeout", "stopTimeout"), int),
        **dict.fromkeys(("essential", "privileged", "readonlyRootFilesystem"), bool),
        **dict.fromkeys(("disableNetworking", "interactive", "pseudoTerminal"), bool),
        **dict.fromkeys(("command", "entryPoint", "links", "dnsServers", "dnsSearchDomains"), _TEXTS),
        "dockerSecurityOptions": _TEXTS,
        "dockerLabels": OwnTexts(),
        "environment": Listed(_members({"name": str, "value": str})),
        "secrets": _SECRETS,
        "portMappings": Listed(_PORTS),
        "mountPoints": Listed(_members({"sourceVolume": str, "containerPath": str, "readOnly": bool})),
        "volumesFrom": Listed(
            _members({"sourceContainer": str, "readOnly": bool}, required="sourceContainer")
        ),
        "dependsOn": Listed(
            _members(
                {"containerName": str, "condition": _words("START COMPLETE SUCCESS HEALTHY")},
                required="containerName condition",
            )
        ),
        "extraHosts": Listed(_members({"hostname": str, "ipAddress": str}, required="hostname ipAddress")),
        "healthCheck": _members(
            {"command": _TEXTS, **dict.fromkeys(("interval", "timeout", "retries", "startPeriod"), int)},
            required="command",
        ),
        "linuxParameters": _LINUX,
        "logConfiguration": _members(
            {
                "logDriver": _words("json-file syslog journald gelf fluentd awslogs splunk awsfirelens"),
                "options": OwnTexts(),
                "secretOptions": _SECRETS,
            },
            required="logDriver",
        ),
        "firelensConfiguration": _members(
            {"type": _words("fluentd fluentbit"), "options": OwnTexts()}, required="type"
        ),
        "repositoryCredentials": _members({"credentialsParameter": str}, required="credentialsParameter"),
        "resourceRequirements": Listed(
            _members(
                {"type": _words("GPU InferenceAccelerator"), "value": str},
                required="type value",
                unread="sharingStrategy",
            )
        ),
        "systemControls": Listed(_members({"namespace": str, "value": str})),
        "ulimits": Listed(
            _members(
                {
                    "name": _words(
                        "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending "
                        "stack"
                    ),
                    "softLimit": int,
                    "hardLimit": int,
                },
                required="name softLimit hardLimit",
            )
        ),
    },
    unread="restartPolicy versionConsistency credentialSpecs environmentFiles",
)
_VOLUME = _members(
    {
        "name": str,
        "host": _members({"sourcePath": str}),
        "dockerVolumeConfiguration": _members(
            {
                "scope": _words("task shared"),
                "autoprovision": bool,
                "driver": str,
                "driverOpts": OwnTexts(),
                "labels": OwnTexts(),
            }
        ),
        "efsVolumeConfiguration": _members(
            {"fileSystemId": str, "rootDirectory": str},
            required="fileSystemId",
            unread="transitEncryption transitEncryptionPort authorizationConfig",
        ),
    },
    unread="fsxWindowsFileServerVolumeConfiguration s3filesVolumeConfiguration configuredAtLaunch",
)
DOCUMENT = _members(
    {
        "containerDefinitions": Listed(CONTAINER),
        "volumes": Listed(_VOLUME),
        "family": str,
        "networkMode": _words("bridge host none"),
        "taskRoleArn": str,
        "placementConstraints": Listed(
            _members({"type": _words("memberOf"), "expression": str}, required="type")
        ),
    },
    unread=(
        "authentication executionRoleArn requiresCompatibilities cpu memory tags pidMode ipcMode "
        "proxyConfiguration inferenceAccelerators ephemeralStorage runtimePlatform enableFaultInjection "
        "trustedExecutionConfiguration taskDefinitionArn revision status requiresAttributes compatibilities "
        "registeredAt deregisteredAt deleteRequestedAt registeredBy"
    ),
)


def check_members(value: Any, kind: Kind, at: str) -> None:
    """Refuse members that nothing reads and values of a wrong type; a null means the same as an absent member.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    if value is None:
        return
    if isinstance(kind, Listed):
        _check_list(value, kind, at)
    elif isinstance(kind, Members):
        _check_object(value, kind, at)
    elif isinstance(kind, OwnTexts):
        _check_own_texts(value, at)
    else:
        _check_plain(value, kind, at)


def unread_members(value: Any, kind: Kind = DOCUMENT, at: str = "") -> Iterator[str]:
    """JSON pointers of the members that Layer0 drops, in a document that `check_members` takes."""
    if isinstance(kind, Listed):
        for number, item in enumerate(value or ()):
            yield from unread_members(item, kind.item, step(at, number))
    elif isinstance(kind, Members):
        for key, item in (value or {}).items():
            name = kind.find(key)
            if name is not None:
                yield from unread_members(item, kind.kinds[name], step(at, key))
            elif item is not None and not key.startswith(_NO_SETTINGS):
                yield step(at, key)


def wrong_type(value: Any, wanted: str, at: str, hint: str | None = None) -> InvalidDockerrun:
    """The refusal of a value of another type."""
    return InvalidDockerrun(f"{kind_of(value)} where {wanted} belongs", pointer=at, hint=hint)


def _check_list(value: Any, kind: Listed, at: str) -> None:
    if not isinstance(value, list):
        raise wrong_type(value, "a list", at)
    for number, item in enumerate(value):
        if item is None:
            raise wrong_type(item, _article(kind.item), step(at, number))
        check_members(item, kind.item, step(at, number))


def _check_own_texts(value: Any, at: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", at)
    for key, item in value.items():
        if item is not None and not isinstance(item, str):
            raise wrong_type(item, "text", step(at, key), _HINTS[str])


def _check_object(value: Any, kind: Members, at: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", at)
    present: dict[str, str] = {}
    for key, item in value.items():
        name = kind.find(key)
        if name is not None:
            if (other := present.setdefault(name, key)) != key:
                raise InvalidDockerrun(
                    f"members {shorten(other)} and {shorten(key)} differ in case only",
                    pointer=step(at, key),
                    hint="keep one of them",
                )
            check_members(item, kind.kinds[name], step(at, key))
        elif item is not None and not key.startswith(_NO_SETTINGS) and not kind.has_unread(key):
            near = difflib.get_close_matches(key, (*kind.kinds, *kind.unread), n=1)
            raise InvalidDockerrun(
                f"neither Layer0 nor ECS has a member {shorten(key)} here",
                pointer=step(at, key),
                hint=f"did you mean {near[0]}?" if near else "remove it; nothing reads it",
            )
    for name in sorted(kind.required):
        if value.get(present.get(name, name)) in (None, "", []):
            raise InvalidDockerrun(f"no {name}", pointer=at, hint=f'add "{name}"')


def _check_plain(value: Any, kind: type[str | int | bool] | Words, at: str) -> None:
    plain = str if isinstance(kind, Words) else kind
    # bool is an int in Python, not in JSON.
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise wrong_type(value, _WORDS[plain], at, _HINTS[plain])
    if isinstance(kind, Words) and value and value not in kind.allowed:
        raise InvalidDockerrun(
            f"{shorten(str(value))} is not one of the values that ECS accepts here",
            pointer=at,
            hint=f"use one of: {', '.join(kind.allowed)}",
        )


def _article(kind: Kind) -> str:
    if isinstance(kind, Members | OwnTexts):
        return "an object"
    if isinstance(kind, Listed):
        return "a list"
    return "text" if isinstance(kind, Words) else _WORDS[kind]
