"""`python -m tests.faults`."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import main
from tests.faults.plan import ROWS


def test_a_row_that_the_quick_profile_leaves_out_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--quick` tries neither such a row nor its control, and says so."""
    left_out = [number for number, each in ROWS.items() if not each.quick]
    assert left_out
    monkeypatch.setattr("sys.argv", ["faults", "--quick", *map(str, left_out)])
    monkeypatch.setattr("tests.faults.__main__.run_row", lambda *_, **__: pytest.fail("tried"))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main() == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [
        f"{each:>3}  not tried: the quick profile leaves it to `make faults`" for each in left_out
    ]
