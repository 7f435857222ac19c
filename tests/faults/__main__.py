"""`make faults`: the plan at full tries; writes `build/faults.json` and prints a table.

Usage: python -m tests.faults [--quick] [--seed N] [--tries N [--add]] [ROW ...]
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from ecr_widgets.sandbox import Sandbox
from tests.faults import rows  # noqa: F401 -- fills the plan
from tests.faults.plan import ROWS, run_row, write_result

OUT = Path(__file__).parents[2] / "build" / "faults.json"


def main() -> int:
    """Run the rows that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--tries", type=int, help="other than the profile's, such as a part of a long row")
    parser.add_argument(
        "--add", action="store_true", help="add to the tries of this commit, from another seed"
    )
    asked = parser.parse_args()
    # A shell that starts this in the background has them ignored, and every process below would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    results = []
    with ExitStack() as stack:

        @cache
        def sandbox() -> Sandbox:
            import tempfile

            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-"))
            return stack.enter_context(Sandbox(Path(folder) / "state"))

        for number in asked.rows or sorted(ROWS):
            if asked.quick and asked.tries is None and not ROWS[number].quick:
                print(f"{number:>3}  not tried: the quick profile leaves it to `make faults`", flush=True)
                continue
            result = run_row(
                ROWS[number],
                profile="quick" if asked.quick else "full",
                seed=asked.seed,
                sandbox=sandbox,
                tries=asked.tries,
            )
            results.append(result)
            write_result(result, OUT, add=asked.add)
            held = "skipped" if result.skipped else "held" if not result.failures else "FAILED"
            control = (
                f": {result.skipped}"
                if result.skipped
                else ""
                if result.control_failed
                else "  VOID: its control did not fail"
            )
            print(
                f"{number:>3}  {held:<7} {result.failures}/{result.tries}  <= {result.bound_95:.3f}"
                f"  {result.seconds:6.1f} s  {result.note}{control}",
                flush=True,
            )
    return int(any(each.failures or not (each.control_failed or each.skipped) for each in results))


if __name__ == "__main__":
    sys.exit(main())
