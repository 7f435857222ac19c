"""Settings that give a container control over its host."""

from __future__ import annotations

import json

import pytest

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.model.services import Dialect
from tests.unit.dockerrun.definitions import CONTAINER, definition

DANGEROUS = definition(
    CONTAINER | {"privileged": True, "linuxParameters": {"capabilities": {"add": ["SYS_ADMIN"]}}},
    volumes=[
        {"name": "engine", "host": {"sourcePath": "/var/run/../run/docker.sock"}},
        {"name": "data", "host": {"sourcePath": "/data"}},
    ],
    networkMode="host",
    pidMode="host",
    ipcMode="host",
)


@pytest.mark.parametrize("dialect", Dialect)
def test_power_over_the_machine_is_said_with_its_place(dialect: Dialect) -> None:
    """Access to the host's engine, network and privileges is reported with its pointer, except what Layer0 ignores."""
    risks = Dockerrun.parse(json.dumps(DANGEROUS).encode(), dialect).risks()
    ecs_only = ["/pidMode", "/ipcMode"] if dialect is Dialect.ECS else []
    assert [risk.pointer for risk in risks] == [
        "/volumes/0/host/sourcePath",
        "/networkMode",
        *ecs_only,
        "/containerDefinitions/0/privileged",
        "/containerDefinitions/0/linuxParameters/capabilities/add",
    ]
    assert "mounts /var/run/docker.sock of the machine" in {risk.what for risk in risks}
    assert Dockerrun.parse(json.dumps(definition()).encode(), dialect).risks() == ()


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ({"volumes": [{"name": "v", "host": {"sourcePath": "/etc/"}}]}, "mounts /etc of the machine"),
        (
            {"volumes": [{"name": "v", "host": {"sourcePath": "/run/containerd/containerd.sock"}}]},
            "mounts /run/containerd/containerd.sock of the machine",
        ),
        (
            {
                "volumes": [
                    {
                        "name": "v",
                        "dockerVolumeConfiguration": {
                            "driver": "local",
                            "driverOpts": {"type": "none", "o": "bind", "device": "/"},
                        },
                    }
                ]
            },
            "mounts / of the machine",
        ),
        (
            {"linuxParameters": {"devices": [{"hostPath": "/dev/xvda"}]}},
            "uses devices of the machine",
        ),
        ({"linuxParameters": {"capabilities": {"add": ["CAP_SYS_MODULE"]}}}, "adds capabilities of root"),
        ({"linuxParameters": {"capabilities": {"add": ["sys_rawio"]}}}, "adds capabilities of root"),
        ({"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"]}}}, ""),
        ({"privileged": False}, ""),
        ({"volumes": [{"name": "v", "host": {"sourcePath": "/etc/app"}}]}, ""),
    ],
)
def test_each_way_to_the_machine_is_known(setting: dict[str, object], what: str) -> None:
    """Folders of the system, engine sockets, a volume driver's device, devices and capabilities in any spelling are
    reported; an ordinary folder, an ordinary capability or a switch that is off is not.
    """
    document = definition(CONTAINER, **setting) if "volumes" in setting else definition(CONTAINER | setting)
    risks = Dockerrun.parse(json.dumps(document).encode(), Dialect.ECS).risks()
    assert [risk.what for risk in risks] == ([what] if what else [])
