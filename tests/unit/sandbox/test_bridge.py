"""Choosing a network for the bridge."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from ecr_widgets.errors import EngineError
from ecr_widgets.sandbox.bridge import networks_in_use, unused_network

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_route_table_is_read() -> None:
    """The networks in use are read from the kernel's route table, without the default route."""
    assert networks_in_use(ROUTES) == [IPv4Network("192.0.2.0/24"), IPv4Network("172.17.0.0/16")]


def test_network_is_private_and_free() -> None:
    """The chosen network is a private /24 that overlaps no network in use."""
    taken = [IPv4Network("10.128.0.0/16"), IPv4Network("10.129.1.0/24")]
    chosen = unused_network(taken, start=0)

    assert chosen == IPv4Network("10.129.0.0/24")
    assert unused_network([*taken, chosen], start=0) == IPv4Network("10.129.2.0/24")


def test_the_search_wraps_around() -> None:
    """The search continues at the first network after the last one."""
    assert unused_network([IPv4Network("10.255.255.0/24")], start=0x7FFF) == IPv4Network("10.128.0.0/24")


def test_none_free_is_said() -> None:
    """If no private network is free, an error says so."""
    with pytest.raises(EngineError, match="no private network is free"):
        unused_network([IPv4Network("10.0.0.0/8")], start=1)
