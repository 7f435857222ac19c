"""A private engine's network: one bridge interface, with nothing else changed on the machine.

No forwarding, address translation or packet filter rules: containers reach each other and this machine, Docker's own
proxy publishes ports, and removing the interface removes everything.
"""

from __future__ import annotations

import ipaddress
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ecr_widgets.errors import EngineError
from ecr_widgets.sandbox.processes import find_tool

_INTERFACES = Path("/sys/class/net")


def create_bridge(name: str) -> ipaddress.IPv4Network:
    """Create a bridge interface with a network that is unused on this machine.

    Raises:
        EngineError: The machine does not allow it.
    """
    taken = networks_in_use(Path("/proc/net/route").read_text(encoding="ascii"))
    network = unused_network(taken, start=int(name.rpartition("-")[2], 16))
    _ip("link", "add", name, "type", "bridge")
    try:
        _ip("address", "add", f"{network.network_address + 1}/{network.prefixlen}", "dev", name)
        _ip("link", "set", name, "up")
        # Even if the machine forwards packets, what runs in the sandbox talks only to this machine.
        forwarding = Path("/proc/sys/net/ipv4/conf") / name / "forwarding"
        if forwarding.read_text(encoding="ascii").strip() != "0":
            forwarding.write_text("0", encoding="ascii")
    except (EngineError, OSError):
        remove_bridge(name)
        raise
    return network


def remove_bridge(name: str) -> None:
    """Remove a bridge interface if it exists."""
    if (_INTERFACES / name / "bridge").exists():
        _ip("link", "delete", name)


def ports_of(name: str) -> int:
    """Count the interfaces attached to a bridge."""
    ports = _INTERFACES / name / "brif"
    return len(list(ports.iterdir())) if ports.exists() else 0


def remove_bridges_of(data_root: Path) -> None:
    """Remove the bridges of the networks, other than the default one, that an engine's containers used.

    Only the engine's own store knows their names, which contain the network's random id.
    """
    store = data_root / "network" / "files" / "local-kv.db"
    if store.is_file():
        for name in sorted(set(re.findall(rb"br-[0-9a-f]{12}", store.read_bytes()))):
            remove_bridge(name.decode("ascii"))


def networks_in_use(route_table: str) -> list[ipaddress.IPv4Network]:
    """Parse the networks in the kernel's route table (`/proc/net/route`), without the default route."""
    networks = []
    for line in route_table.splitlines()[1:]:
        fields = line.split()
        # Hexadecimal, little-endian: the byte order of every machine on which Debian has dockerd.
        address, mask = (int.from_bytes(bytes.fromhex(fields[index]), "little") for index in (1, 7))
        if mask:
            networks.append(ipaddress.IPv4Network((address, str(ipaddress.IPv4Address(mask)))))
    return networks


def unused_network(taken: Iterable[ipaddress.IPv4Network], *, start: int) -> ipaddress.IPv4Network:
    """Choose a private /24 that overlaps none of the taken ones.

    Args:
        taken: Networks in use.

        start: Where to start looking, so that sandboxes starting at the same time choose different ones.

    Raises:
        EngineError: None is free.
    """
    taken = list(taken)
    for step in range(0x8000):
        # 10.128.0.0/9: the upper half of 10.0.0.0/8, away from what clouds and offices allocate first.
        network = ipaddress.IPv4Network(((10 << 24) + (1 << 23) + ((start + step) % 0x8000 << 8), 24))
        if not any(network.overlaps(other) for other in taken):
            return network
    raise EngineError(
        "no private network is free for the sandbox's bridge", hint="remove routes below 10.128.0.0/9"
    )


def _ip(*words: str) -> None:
    tool, busybox = find_tool("ip"), find_tool("busybox")
    if tool is None and busybox is None:
        raise EngineError("no `ip` command to make a bridge with", hint="apt-get install iproute2")
    command = [tool, *words] if tool is not None else [str(busybox), "ip", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
