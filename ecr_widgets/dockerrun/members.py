"""The members that a task definition may have, with their types and defaults, for both dialects.

Source: Amazon ECS API, RegisterTaskDefinition; aws-sdk-go 1.30.4, with which the last Layer0 (2021) decodes containers,
volumes and placement constraints. What ECS has and that SDK lacks is `ecs_only`: Layer0 drops it silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ecr_widgets.dockerrun.kinds import Kind, Listed, Members, OwnTexts, Words

OUTPUT_ONLY = frozenset(
    (
        *("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities"),
        *("registeredAt", "registeredBy", "deregisteredAt", "deleteRequestedAt"),
    )
)
"""What ECS reports about a registered definition and refuses in a new one."""


def _words(text: str, *, ecs_only: str = "", grows: bool = False) -> Words:
    return Words(tuple(text.split()), tuple(ecs_only.split()), grows)


def _members(
    kinds: Mapping[str, Kind],
    *,
    required: str = "",
    layer0_required: str = "",
    ecs_only: str = "",
    foreign: frozenset[str] = frozenset(),
    defaults: Mapping[str, Any] = MappingProxyType({}),
    ecs_defaults: Mapping[str, Any] = MappingProxyType({}),
) -> Members:
    named, in_layer0, new = (frozenset(each.split()) for each in (required, layer0_required, ecs_only))
    return Members(kinds, named, in_layer0, new, foreign, defaults, ecs_defaults)


def _list(kinds: Mapping[str, Kind], required: str = "", *, by: str = "", **more: Any) -> Listed:
    """A list of objects; if its order means nothing, the members `by` identify its items."""
    return Listed(_members(kinds, required=required, **more), tuple(by.split()), is_ordered=not by)


_TEXTS = Listed(str)
_TEXT_SET = Listed(str, is_ordered=False)
_NAMED_TEXT: Mapping[str, Kind] = {"name": str, "value": str}
_SECRETS = _list({"name": str, "valueFrom": str}, "name valueFrom", by="name")
_PORTS = _list(
    {
        **dict.fromkeys(("containerPort", "hostPort"), int),
        **dict.fromkeys(("name", "containerPortRange"), str),
        "protocol": _words("tcp udp"),
        "appProtocol": _words("http http2 grpc", grows=True),
    },
    by="containerPort containerPortRange protocol",
    layer0_required="containerPort",
    ecs_only="name appProtocol containerPortRange",
    defaults={"hostPort": 0, "protocol": "tcp"},
)
_PERMISSIONS = Listed(_words("read write mknod"), is_ordered=False)
_LINUX = _members(
    {
        "capabilities": _members({"add": _TEXT_SET, "drop": _TEXT_SET}),
        "devices": _list({"hostPath": str, "containerPath": str, "permissions": _PERMISSIONS}, "hostPath"),
        "initProcessEnabled": bool,
        "tmpfs": _list({"containerPath": str, "size": int, "mountOptions": _TEXTS}, "containerPath size"),
        **dict.fromkeys(("sharedMemorySize", "maxSwap", "swappiness"), int),
    }
)
_LOGGING = _members(
    {
        "logDriver": _words("json-file syslog journald gelf fluentd awslogs splunk awsfirelens", grows=True),
        "options": OwnTexts(),
        "secretOptions": _SECRETS,
    },
    required="logDriver",
)
_MPS = _members({"memory": int, "maxComputePercent": int}, required="memory")
_RESOURCES = _list(
    {
        "type": _words("GPU InferenceAccelerator", ecs_only="NeuronDevice", grows=True),
        "value": str,
        "sharingStrategy": _members({"nvidiaMps": _MPS}),
    },
    "type",
    by="type",
    layer0_required="value",
    ecs_only="sharingStrategy",
)
_RESTARTS = _members(
    {"enabled": bool, "ignoredExitCodes": Listed(int, is_ordered=False), "restartAttemptPeriod": int},
    required="enabled",
    defaults={"restartAttemptPeriod": 300},
)
_HEALTH_CHECK = _members(
    {"command": _TEXTS, **dict.fromkeys(("interval", "timeout", "retries", "startPeriod"), int)},
    required="command",
    # ECS writes these into a stored health check that leaves them out.
    defaults={"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0},
)
_LIMITED = _words(
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
)
_SWITCHES_OFF = ("privileged", "readonlyRootFilesystem", "disableNetworking", "interactive", "pseudoTerminal")
_NOT_READ_ONLY = {"readOnly": False}
CONTAINER = _members(
    {
        **dict.fromkeys(("name", "image", "user", "workingDirectory", "hostname"), str),
        **dict.fromkeys(("memory", "memoryReservation", "cpu", "startTimeout", "stopTimeout"), int),
        **dict.fromkeys(("essential", *_SWITCHES_OFF), bool),
        **dict.fromkeys(("command", "entryPoint", "dnsServers", "dnsSearchDomains"), _TEXTS),
        **dict.fromkeys(("links", "dockerSecurityOptions", "credentialSpecs"), _TEXT_SET),
        "dockerLabels": OwnTexts(),
        # Its order means nothing either; `form.canonical_form` makes a map of it for both dialects.
        "environment": _list(_NAMED_TEXT),
        # If two files set the same variable, the first one counts.
        "environmentFiles": _list({"value": str, "type": _words("s3", grows=True)}, "value type"),
        "secrets": _SECRETS,
        "portMappings": _PORTS,
        "mountPoints": _list(
            {"sourceVolume": str, "containerPath": str, "readOnly": bool},
            by="containerPath",
            defaults=_NOT_READ_ONLY,
        ),
        "volumesFrom": _list(
            {"sourceContainer": str, "readOnly": bool},
            "sourceContainer",
            by="sourceContainer",
            defaults=_NOT_READ_ONLY,
        ),
        "dependsOn": _list(
            {"containerName": str, "condition": _words("START COMPLETE SUCCESS HEALTHY")},
            "containerName condition",
            by="containerName",
        ),
        "extraHosts": _list({"hostname": str, "ipAddress": str}, "hostname ipAddress"),
        "healthCheck": _HEALTH_CHECK,
        "restartPolicy": _RESTARTS,
        "versionConsistency": _words("enabled disabled"),
        "linuxParameters": _LINUX,
        "logConfiguration": _LOGGING,
        "firelensConfiguration": _members(
            {"type": _words("fluentd fluentbit", grows=True), "options": OwnTexts()}, required="type"
        ),
        "repositoryCredentials": _members({"credentialsParameter": str}, required="credentialsParameter"),
        "resourceRequirements": _RESOURCES,
        "systemControls": _list({"namespace": str, "value": str}, by="namespace"),
        "ulimits": _list(
            {"name": _LIMITED, "softLimit": int, "hardLimit": int}, "name softLimit hardLimit", by="name"
        ),
    },
    ecs_only="restartPolicy versionConsistency credentialSpecs environmentFiles",
    defaults={
        **dict.fromkeys(_SWITCHES_OFF, False),
        "essential": True,
        "cpu": 0,
        "versionConsistency": "enabled",
    },
)
_SWITCH = _words("ENABLED DISABLED")
_EFS = _members(
    {
        **dict.fromkeys(("fileSystemId", "rootDirectory"), str),
        "transitEncryption": _SWITCH,
        "transitEncryptionPort": int,
        "authorizationConfig": _members({"accessPointId": str, "iam": _SWITCH}, defaults={"iam": "DISABLED"}),
    },
    required="fileSystemId",
    ecs_only="transitEncryption transitEncryptionPort authorizationConfig",
    ecs_defaults={"rootDirectory": "/", "transitEncryption": "DISABLED"},
)
_FSX_LOGIN = _members({"credentialsParameter": str, "domain": str}, required="credentialsParameter domain")
_VOLUMES = _list(
    {
        "name": str,
        "host": _members({"sourcePath": str}),
        "dockerVolumeConfiguration": _members(
            {
                "scope": _words("task shared"),
                "autoprovision": bool,
                "driver": str,
                **dict.fromkeys(("driverOpts", "labels"), OwnTexts()),
            },
            ecs_defaults={"scope": "task", "autoprovision": False},
        ),
        "efsVolumeConfiguration": _EFS,
        "fsxWindowsFileServerVolumeConfiguration": _members(
            {"fileSystemId": str, "rootDirectory": str, "authorizationConfig": _FSX_LOGIN},
            required="fileSystemId rootDirectory authorizationConfig",
        ),
        "s3filesVolumeConfiguration": _members(
            {
                **dict.fromkeys(("fileSystemArn", "rootDirectory", "accessPointArn"), str),
                "transitEncryptionPort": int,
            },
            required="fileSystemArn",
        ),
        "configuredAtLaunch": bool,
    },
    ecs_only="fsxWindowsFileServerVolumeConfiguration s3filesVolumeConfiguration configuredAtLaunch",
    defaults={"configuredAtLaunch": False},
)
_PLATFORM = _members(
    {
        "cpuArchitecture": _words("X86_64 ARM64", grows=True),
        "operatingSystemFamily": _words(
            "WINDOWS_SERVER_2016_FULL WINDOWS_SERVER_2019_FULL WINDOWS_SERVER_2019_CORE WINDOWS_SERVER_2004_CORE "
            "WINDOWS_SERVER_20H2_CORE WINDOWS_SERVER_2022_FULL WINDOWS_SERVER_2022_CORE WINDOWS_SERVER_2025_FULL "
            "WINDOWS_SERVER_2025_CORE LINUX",
            grows=True,
        ),
    }
)
_PROXY = _members(
    {
        "type": _words("APPMESH", grows=True),
        "containerName": str,
        "properties": _list(_NAMED_TEXT, by="name"),
    },
    required="containerName",
    defaults={"type": "APPMESH"},
)
_COMPATIBLE = _words("EC2 FARGATE EXTERNAL MANAGED_INSTANCES", grows=True)
_CONSTRAINT = _members({"type": _words("memberOf"), "expression": str}, required="type")
_ISOLATION = _words("SHARED ISOLATED_SANDBOX CONFIDENTIAL_SANDBOX", grows=True)
DOCUMENT = _members(
    {
        "containerDefinitions": Listed(CONTAINER),
        "volumes": _VOLUMES,
        **dict.fromkeys(("family", "taskRoleArn", "executionRoleArn", "cpu", "memory"), str),
        "networkMode": _words("bridge host none", ecs_only="awsvpc"),
        "requiresCompatibilities": Listed(_COMPATIBLE, is_ordered=False),
        "placementConstraints": Listed(_CONSTRAINT, is_ordered=False),
        "tags": _list({"key": str, "value": str}),
        "pidMode": _words("host task"),
        "ipcMode": _words("host task none"),
        "proxyConfiguration": _PROXY,
        "inferenceAccelerators": _list(
            {"deviceName": str, "deviceType": str}, "deviceName deviceType", by="deviceName"
        ),
        "ephemeralStorage": _members({"sizeInGiB": int}, required="sizeInGiB"),
        "runtimePlatform": _PLATFORM,
        "enableFaultInjection": bool,
        "trustedExecutionConfiguration": _members(
            {"isolationMode": _ISOLATION, "attestationPolicy": str}, required="isolationMode"
        ),
    },
    ecs_only=(
        "executionRoleArn requiresCompatibilities cpu memory tags pidMode ipcMode proxyConfiguration "
        "inferenceAccelerators ephemeralStorage runtimePlatform enableFaultInjection trustedExecutionConfiguration"
    ),
    # Elastic Beanstalk's Dockerrun has "authentication".
    foreign=OUTPUT_ONLY | {"authentication"},
    defaults={"networkMode": "bridge", "enableFaultInjection": False},
)


def _all_members(kind: Kind) -> Iterator[tuple[str, Kind]]:
    if isinstance(kind, Listed):
        yield from _all_members(kind.item)
    elif isinstance(kind, Members):
        for name, inner in kind.kinds.items():
            yield name, inner
            yield from _all_members(inner)


KNOWN_NAMES = frozenset(name for name, _ in _all_members(DOCUMENT))
KEYED_LISTS = frozenset(
    name for name, kind in _all_members(DOCUMENT) if isinstance(kind, Listed) and kind.keys
)
"""Lists that become objects with user-defined names in the canonical form for ECS."""
