"""Row 72: an audit of many saved runs does work in proportion to what is new, in bounded memory.

The plan's limits are times; they stand in the note. What is asserted are counts of work, which no busy machine changes.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.audit.runs import generate
from tests.faults.plan import batch

_SIZES = (1_000, 10_000, 100_000)
"""How many runs each try has."""
_QUICK_SIZES = (300,)
_SEALED = 10_000
"""More are not sealed here."""
_SIZE_BYTES = 20_000
"""As real runs are, without much output: 100,000 are 2 GB."""
_NEW = 10
_INDEX_MB = 300
_VERIFY_MB = 1_000


@batch(
    72,
    "1,000, 10,000 and 100,000 saved runs: files opened, bytes read, waits for the disk and memory in proportion to what is new",
    tries=len(_SIZES),
    quick=1,
)
def many(tries: int, seed: int) -> tuple[int, int, str]:
    """Failures, failures of the control, which keeps no index, and the times."""
    failures, controls, notes = 0, 0, []
    for count in _SIZES if tries == len(_SIZES) else _QUICK_SIZES:
        with tempfile.TemporaryDirectory(prefix="ft-") as name:
            try:
                notes.append(_try(Path(name), count, seed))
            except AssertionError as error:
                failures += 1
                notes.append(f"{count:,}: {str(error)[:300]}")
            try:
                _update(Path(name), count + _NEW, _NEW, action="index-anew")
            except AssertionError:
                controls += 1
    return failures, controls, "; ".join(notes)


def _try(folder: Path, count: int, seed: int) -> str:
    runs = folder / "runs"
    generate(runs, count, seed=seed, size_bytes=_SIZE_BYTES)
    # Old enough to be believed when the index has them.
    time.sleep(0.2)
    cold = _update(folder, count, count)
    warm = _update(folder, count, 0)
    told = f"{count:,}: cold {cold['s']} s, warm {warm['s']} s, {cold['peak_mb']} MB"
    if count <= _SEALED:
        seal, verify = _seals(folder, count, count), _do("verify", runs, folder / "keys")
        assert verify["ok"], verify
        assert verify["opened"] == count, verify
        assert verify["peak_mb"] < _VERIFY_MB, verify
        told += f", seal {seal['s']} s, verify {verify['s']} s"
    generate(runs, _NEW, seed=seed + 1, size_bytes=_SIZE_BYTES, first=count)
    time.sleep(0.2)
    new = _update(folder, count + _NEW, _NEW)
    of_new = sum(path.stat().st_size for path in sorted(runs.glob("*.ipynb"))[-_NEW:])
    # What SQLite reads of the index depends on its pages, of which new rows touch some.
    assert new["read_bytes"] - warm["read_bytes"] < 3 * of_new + 2_000_000, (new, warm, of_new)
    if count <= _SEALED:
        _seals(folder, count + _NEW, _NEW)
        _seals(folder, count + _NEW, 0)
    return f"{told}, {_NEW} new {new['s']} s"


def _update(folder: Path, count: int, new: int, *, action: str = "index") -> dict[str, Any]:
    done = _do(action, folder / "runs", folder / "index.sqlite")
    assert done["rows"] == count, done
    assert done["opened"] == new, f"{done['opened']} notebooks opened for {new} new ones"
    assert done["peak_mb"] < _INDEX_MB, done
    return done


def _seals(folder: Path, count: int, new: int) -> dict[str, Any]:
    done = _do("seal", folder / "runs", folder / "keys")
    assert done["sealed"] == new, done
    assert done["opened"] == new, f"{done['opened']} notebooks opened to seal {new} of {count}"
    # A few more for the key, where it is made.
    assert done["synced"] <= math.ceil(new / 100) + 5, done
    assert done["peak_mb"] < _VERIFY_MB, done
    return done


def _do(action: str, runs: Path, file: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.faults.counting", action, runs, file],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told
