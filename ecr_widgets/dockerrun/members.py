"""The members that a task definition may have, with their types and defaults, for both dialects.

Source: Amazon ECS API, RegisterTaskDefinition; aws-sdk-go 1.30.4, with which the last Layer0 (2021) decodes containers,
volumes and placement constraints. What ECS has and that SDK lacks is `ecs_only`: Layer0 drops it without a word.
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
"""What ECS says of a registered definition, and refuses in a new one."""


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


def _by(keys: str, item: Members) -> Listed:
    """A list whose order means nothing, and whose items are known by these members."""
    return Listed(item, keys=tuple(keys.split()), is_ordered=False)


_TEXTS = Listed(str)
_TEXT_SET = Listed(str, is_ordered=False)
_NAMED_TEXT = _members({"name": str, "value": str})
_SECRETS = _by("name", _members({"name": str, "valueFrom": str}, required="name valueFrom"))
_PORTS = _members(
    {
        **dict.fromkeys(("containerPort", "hostPort"), int),
        "protocol": _words("tcp udp"),
        **dict.fromkeys(("name", "containerPortRange"), str),
        "appProtocol": _words("http http2 grpc", grows=True),
    },
    layer0_required="containerPort",
    ecs_only="name appProtocol containerPortRange",
    defaults={"hostPort": 0, "protocol": "tcp"},
)
_LINUX = _members(
    {
        "capabilities": _members({"add": _TEXT_SET, "drop": _TEXT_SET}),
        "devices": Listed(
            _members(
                {
                    "hostPath": str,
                    "containerPath": str,
                    "permissions": Listed(_words("read write mknod"), is_ordered=False),
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
_LOGGING = _members(
    {
        "logDriver": _words("json-file syslog journald gelf fluentd awslogs splunk awsfirelens", grows=True),
        "options": OwnTexts(),
        "secretOptions": _SECRETS,
    },
    required="logDriver",
)
_RESOURCE = _members(
    {
        "type": _words("GPU InferenceAccelerator", ecs_only="NeuronDevice", grows=True),
        "value": str,
        "sharingStrategy": _members(
            {"nvidiaMps": _members({"memory": int, "maxComputePercent": int}, required="memory")}
        ),
    },
    required="type",
    layer0_required="value",
    ecs_only="sharingStrategy",
)
CONTAINER = _members(
    {
        **dict.fromkeys(("name", "image", "user", "workingDirectory", "hostname"), str),
        **dict.fromkeys(("memory", "memoryReservation", "cpu", "startTimeout", "stopTimeout"), int),
        **dict.fromkeys(("essential", "privileged", "readonlyRootFilesystem"), bool),
        **dict.fromkeys(("disableNetworking", "interactive", "pseudoTerminal"), bool),
        **dict.fromkeys(("command", "entryPoint", "dnsServers", "dnsSearchDomains"), _TEXTS),
        **dict.fromkeys(("links", "dockerSecurityOptions", "credentialSpecs"), _TEXT_SET),
        "dockerLabels": OwnTexts(),
        # Its order means nothing either; `form.canonical_form` makes a map of it for both dialects.
        "environment": Listed(_NAMED_TEXT),
        # Of two files that set one variable the first counts.
        "environmentFiles": Listed(
            _members({"value": str, "type": _words("s3", grows=True)}, required="value type")
        ),
        "secrets": _SECRETS,
        "portMappings": _by("containerPort containerPortRange protocol", _PORTS),
        "mountPoints": _by(
            "containerPath",
            _members(
                {"sourceVolume": str, "containerPath": str, "readOnly": bool}, defaults={"readOnly": False}
            ),
        ),
        "volumesFrom": _by(
            "sourceContainer",
            _members(
                {"sourceContainer": str, "readOnly": bool},
                required="sourceContainer",
                defaults={"readOnly": False},
            ),
        ),
        "dependsOn": _by(
            "containerName",
            _members(
                {"containerName": str, "condition": _words("START COMPLETE SUCCESS HEALTHY")},
                required="containerName condition",
            ),
        ),
        "extraHosts": Listed(_members({"hostname": str, "ipAddress": str}, required="hostname ipAddress")),
        "healthCheck": _members(
            {"command": _TEXTS, **dict.fromkeys(("interval", "timeout", "retries", "startPeriod"), int)},
            required="command",
            # ECS writes these into a stored health check that leaves them out.
            defaults={"interval": 30, "timeout": 5, "retries": 3, "startPeriod": 0},
        ),
        "restartPolicy": _members(
            {
                "enabled": bool,
                "ignoredExitCodes": Listed(int, is_ordered=False),
                "restartAttemptPeriod": int,
            },
            required="enabled",
            defaults={"restartAttemptPeriod": 300},
        ),
        "versionConsistency": _words("enabled disabled"),
        "linuxParameters": _LINUX,
        "logConfiguration": _LOGGING,
        "firelensConfiguration": _members(
            {"type": _words("fluentd fluentbit", grows=True), "options": OwnTexts()}, required="type"
        ),
        "repositoryCredentials": _members({"credentialsParameter": str}, required="credentialsParameter"),
        "resourceRequirements": _by("type", _RESOURCE),
        "systemControls": _by("namespace", _members({"namespace": str, "value": str})),
        "ulimits": _by(
            "name",
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
            ),
        ),
    },
    ecs_only="restartPolicy versionConsistency credentialSpecs environmentFiles",
    defaults={
        "essential": True,
        "cpu": 0,
        "privileged": False,
        "readonlyRootFilesystem": False,
        "disableNetworking": False,
        "interactive": False,
        "pseudoTerminal": False,
        "versionConsistency": "enabled",
    },
)
_EFS = _members(
    {
        **dict.fromkeys(("fileSystemId", "rootDirectory"), str),
        "transitEncryption": _words("ENABLED DISABLED"),
        "transitEncryptionPort": int,
        "authorizationConfig": _members(
            {"accessPointId": str, "iam": _words("ENABLED DISABLED")}, defaults={"iam": "DISABLED"}
        ),
    },
    required="fileSystemId",
    ecs_only="transitEncryption transitEncryptionPort authorizationConfig",
    ecs_defaults={"rootDirectory": "/", "transitEncryption": "DISABLED"},
)
_FSX = _members(
    {
        **dict.fromkeys(("fileSystemId", "rootDirectory"), str),
        "authorizationConfig": _members(
            dict.fromkeys(("credentialsParameter", "domain"), str), required="credentialsParameter domain"
        ),
    },
    required="fileSystemId rootDirectory authorizationConfig",
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
            },
            ecs_defaults={"scope": "task", "autoprovision": False},
        ),
        "efsVolumeConfiguration": _EFS,
        "fsxWindowsFileServerVolumeConfiguration": _FSX,
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
DOCUMENT = _members(
    {
        "containerDefinitions": Listed(CONTAINER),
        "volumes": Listed(_VOLUME),
        **dict.fromkeys(("family", "taskRoleArn", "executionRoleArn", "cpu", "memory"), str),
        "networkMode": _words("bridge host none", ecs_only="awsvpc"),
        "requiresCompatibilities": Listed(
            _words("EC2 FARGATE EXTERNAL MANAGED_INSTANCES", grows=True), is_ordered=False
        ),
        "placementConstraints": Listed(
            _members({"type": _words("memberOf"), "expression": str}, required="type"), is_ordered=False
        ),
        "tags": Listed(_members({"key": str, "value": str})),
        "pidMode": _words("host task"),
        "ipcMode": _words("host task none"),
        "proxyConfiguration": _members(
            {
                "type": _words("APPMESH", grows=True),
                "containerName": str,
                "properties": _by("name", _NAMED_TEXT),
            },
            required="containerName",
            defaults={"type": "APPMESH"},
        ),
        "inferenceAccelerators": _by(
            "deviceName",
            _members(dict.fromkeys(("deviceName", "deviceType"), str), required="deviceName deviceType"),
        ),
        "ephemeralStorage": _members({"sizeInGiB": int}, required="sizeInGiB"),
        "runtimePlatform": _members(
            {
                "cpuArchitecture": _words("X86_64 ARM64", grows=True),
                "operatingSystemFamily": _words(
                    "WINDOWS_SERVER_2016_FULL WINDOWS_SERVER_2019_FULL WINDOWS_SERVER_2019_CORE "
                    "WINDOWS_SERVER_2004_CORE WINDOWS_SERVER_20H2_CORE WINDOWS_SERVER_2022_FULL "
                    "WINDOWS_SERVER_2022_CORE WINDOWS_SERVER_2025_FULL WINDOWS_SERVER_2025_CORE LINUX",
                    grows=True,
                ),
            }
        ),
        "enableFaultInjection": bool,
        "trustedExecutionConfiguration": _members(
            {
                "isolationMode": _words("SHARED ISOLATED_SANDBOX CONFIDENTIAL_SANDBOX", grows=True),
                "attestationPolicy": str,
            },
            required="isolationMode",
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
"""Lists that are objects by people's own names in the canonical form for ECS."""
