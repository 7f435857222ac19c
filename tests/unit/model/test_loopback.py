"""Which hosts are this machine."""

from __future__ import annotations

import pytest

from ecr_widgets.model.loopback import is_loopback


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "127.8.9.1:1", "localhost:5000", "[::1]", "[::1]:80"]
)
def test_this_machine(host: str) -> None:
    """Loopback addresses and `localhost` are this machine, with or without a port."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "10.0.0.1:80", "127.0.0.1.example.com:80", "localhost.example.com", "[::2]:80"]
)
def test_another_machine(host: str) -> None:
    """Other hosts are not, even if their names begin like loopback ones."""
    assert not is_loopback(host)
