"""`ecr-widgets fleet`: targets from standard input."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ecr_widgets.cli.fleet import command


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b'\xff\xfe{"tag": "1"}', "standard input: not UTF-8"),
        (b'\xef\xbb\xbf{"nothing": "1"}', "declares no parameter 'nothing'"),
        (b"", "standard input: no target"),
    ],
)
def test_targets_over_standard_input_are_read_as_a_file_is(given: bytes, why: str, tmp_path: Path) -> None:
    """Invalid targets on standard input are refused with the reason, and nothing is saved."""
    done = CliRunner().invoke(
        command, ["push", "--targets", "-", "--runs", str(tmp_path / "runs")], input=given
    )
    assert done.exit_code == 2
    assert why in done.output
    assert not (tmp_path / "runs").exists()
