"""The line to a kernel."""

from __future__ import annotations

from pathlib import Path

from ecr_widgets.engine.kernel import _connection


def test_the_line_is_made_of_sockets_that_nobody_else_can_take(tmp_path: Path) -> None:
    """Files in the run's own folder: a port that is free now may be somebody's when the kernel begins to listen."""
    said = _connection(Path("/tmp/ecrw-1"))
    assert (said["transport"], said["ip"]) == ("ipc", "/tmp/ecrw-1/line")
    assert len({value for name, value in said.items() if name.endswith("_port")}) == 5


def test_a_folder_with_a_long_name_gets_ports() -> None:
    """Paths of sockets are short; five ports of this machine do too."""
    said = _connection(Path("/tmp") / ("long" * 30))
    assert (said["transport"], said["ip"]) == ("tcp", "127.0.0.1")
    assert len({value for name, value in said.items() if name.endswith("_port")}) == 5


def test_each_line_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Who has no key of it is not listened to."""
    one, other = (_connection(tmp_path)["key"] for _ in range(2))
    assert one != other
    assert len(one) == 64
