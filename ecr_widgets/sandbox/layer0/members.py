"""Names of a Dockerrun's members as ECS writes them, and conversion to them from any case."""

from __future__ import annotations

from typing import Any

CONTAINER = (
    *("Command", "Cpu", "DependsOn", "DisableNetworking", "DnsSearchDomains", "DnsServers", "DockerLabels"),
    *("DockerSecurityOptions", "EntryPoint", "Environment", "Essential", "ExtraHosts"),
    *("FirelensConfiguration", "HealthCheck", "Hostname", "Image", "Interactive", "Links"),
    *("LinuxParameters", "LogConfiguration", "Memory", "MemoryReservation", "MountPoints", "Name"),
    *("PortMappings", "Privileged", "PseudoTerminal", "ReadonlyRootFilesystem", "RepositoryCredentials"),
    *("ResourceRequirements", "Secrets", "StartTimeout", "StopTimeout", "SystemControls", "Ulimits"),
    *("User", "VolumesFrom", "WorkingDirectory"),
)
VOLUME = ("DockerVolumeConfiguration", "EfsVolumeConfiguration", "Host", "Name")
PORT = ("ContainerPort", "HostPort", "Protocol")
MOUNT = ("ContainerPath", "ReadOnly", "SourceVolume")
PLACEMENT = ("Expression", "Type")
_DOCUMENT = (
    "ContainerDefinitions",
    "Family",
    "NetworkMode",
    "PlacementConstraints",
    "TaskRoleArn",
    "Volumes",
)
_DEEPER = (
    *("Add", "AuthorizationConfig", "Autoprovision", "Capabilities", "Condition", "ContainerName"),
    *("CredentialsParameter", "Devices", "Driver", "DriverOpts", "Drop", "FileSystemId", "HardLimit"),
    *("HostPath", "InitProcessEnabled", "Interval", "IpAddress", "Labels", "LogDriver", "MaxSwap"),
    *("MountOptions", "Namespace", "Options", "Permissions", "Retries", "RootDirectory", "Scope"),
    *("SecretOptions", "SharedMemorySize", "Size", "SoftLimit", "SourceContainer", "SourcePath"),
    *("StartPeriod", "Swappiness", "Timeout", "Tmpfs", "TransitEncryption", "TransitEncryptionPort"),
    *("Value", "ValueFrom"),
)
_PEOPLES_OWN = frozenset(("options", "dockerLabels", "driverOpts", "labels"))
"""Members whose own members' names are the user's."""
_BY_LOWER = {
    name.lower(): name[:1].lower() + name[1:]
    for name in (*_DOCUMENT, *CONTAINER, *VOLUME, *PORT, *MOUNT, *PLACEMENT, *_DEEPER)
}


def camel_case(value: Any) -> Any:
    """The document with its members in camelCase; Go's decoder, and so Layer0, accepts any case."""
    if isinstance(value, dict):
        named = {_BY_LOWER.get(key.lower(), key[:1].lower() + key[1:]): item for key, item in value.items()}
        return {key: item if key in _PEOPLES_OWN else camel_case(item) for key, item in named.items()}
    return [camel_case(item) for item in value] if isinstance(value, list) else value


def pascal_case(value: Any) -> Any:
    """The inner part of a camelCase document in PascalCase, as Layer0 returns it."""
    if isinstance(value, dict):
        return {
            key[:1].upper() + key[1:]: item if key in _PEOPLES_OWN else pascal_case(item)
            for key, item in value.items()
        }
    return [pascal_case(item) for item in value] if isinstance(value, list) else value
