"""The private network of a private engine: one bridge interface, and nothing else on the machine changed.

No forwarding, no address translation, no packet filter rule: containers reach each other and this machine, ports
are published by Docker's own proxy, and removing the interface removes all of it.
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
    """Make a bridge interface with a network that nothing on this machine uses.

    Raises:
        EngineError: The machine does not let us.
    """
    taken = networks_in_use(Path("/proc/net/route").read_text(encoding="ascii"))
    network = unused_network(taken, start=int(name.rpartition("-")[2], 16))
    _ip("link", "add", name, "type", "bridge")
    try:
        _ip("address", "add", f"{network.network_address + 1}/{network.prefixlen}", "dev", name)
        _ip("link", "set", name, "up")
        # Also where the machine forwards packets: what runs in the sandbox talks to this machine only.
        forwarding = Path("/proc/sys/net/ipv4/conf") / name / "forwarding"
        if forwarding.read_text(encoding="ascii").strip() != "0":
            forwarding.write_text("0", encoding="ascii")
    except (EngineError, OSError):
        remove_bridge(name)
        raise
    return network


def remove_bridge(name: str) -> None:
    """Remove a bridge interface where it is there."""
    if (_INTERFACES / name / "bridge").exists():
        _ip("link", "delete", name)


def ports_of(name: str) -> int:
    """Count the interfaces that hang on a bridge."""
    ports = _INTERFACES / name / "brif"
    return len(list(ports.iterdir())) if ports.exists() else 0


def remove_bridges_of(data_root: Path) -> None:
    """Remove the bridges of the networks that containers of an engine used beside its default one.

    Only the engine's own store names them, by the random id of their network.
    """
    store = data_root / "network" / "files" / "local-kv.db"
    if store.is_file():
        for name in sorted(set(re.findall(rb"br-[0-9a-f]{12}", store.read_bytes()))):
            remove_bridge(name.decode("ascii"))


def networks_in_use(route_table: str) -> list[ipaddress.IPv4Network]:
    """Read the networks of the kernel's route table (`/proc/net/route`), the default route left out."""
    networks = []
    for line in route_table.splitlines()[1:]:
        fields = line.split()
        # Little-endian hexadecimal, in the byte order of every machine that Debian runs dockerd on.
        address, mask = (int.from_bytes(bytes.fromhex(fields[index]), "little") for index in (1, 7))
        if mask:
            networks.append(ipaddress.IPv4Network((address, str(ipaddress.IPv4Address(mask)))))
    return networks


def unused_network(taken: Iterable[ipaddress.IPv4Network], *, start: int) -> ipaddress.IPv4Network:
    """Choose a private /24 that overlaps none of the taken ones.

    Args:
        taken: Networks in use.

        start: Where to begin looking, so that two sandboxes that start at once choose differently.

    Raises:
        EngineError: None is free.
    """
    taken = list(taken)
    for step in range(0x8000):
        # 10.128.0.0/9: the upper half of 10.0.0.0/8, away from what clouds and offices number first.
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
