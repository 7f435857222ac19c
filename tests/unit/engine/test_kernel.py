"""The connection to a kernel."""

from __future__ import annotations

from pathlib import Path

from ecr_widgets.engine.kernel import _connection


def test_the_line_is_made_of_sockets_that_nobody_else_can_take(tmp_path: Path) -> None:
    """A kernel is reached over five sockets in the run's own folder, which no other process can occupy."""
    said = _connection(Path("/tmp/ecrw-1"))
    assert (said["transport"], said["ip"]) == ("ipc", "/tmp/ecrw-1/line")
    assert len({value for name, value in said.items() if name.endswith("_port")}) == 5


def test_a_folder_with_a_long_name_gets_ports() -> None:
    """In a folder whose path is too long for sockets, five loopback ports are used instead."""
    said = _connection(Path("/tmp") / ("long" * 30))
    assert (said["transport"], said["ip"]) == ("tcp", "127.0.0.1")
    assert len({value for name, value in said.items() if name.endswith("_port")}) == 5


def test_each_line_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Each connection has its own 64-character key."""
    one, other = (_connection(tmp_path)["key"] for _ in range(2))
    assert one != other
    assert len(one) == 64
