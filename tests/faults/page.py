"""Writes the table of `docs/reliability.md` from `build/faults.json`; nothing in it is written by hand.

Usage: python -m tests.faults.page
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written from build/faults.json -->\n", "<!-- end -->\n"


def section(results: Mapping[str, Any]) -> str:
    """What stands between the marks: what it was tried with, and the table."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"Tried with {versions}.\n\n" + table(results["rows"])


def table(rows: list[Mapping[str, Any]]) -> str:
    """The table in Markdown, one row of the plan a line."""
    lines = [
        "| row | fault | tries | failures | failure rate at 95 % | control | seconds | commit |",
        "|---:|---|---:|---:|---|---|---:|---|",
    ]
    for each in rows:
        note = " ".join(each["note"].split())  # a line end would end the row
        if each.get("skipped"):
            lines.append(f"| {each['row']} | {note} | skipped: {each['skipped']} | | | | | |")
            continue
        control = "fails, as it should" if each["control_failed"] else "**holds: the row is void**"
        lines.append(
            f"| {each['row']} | {note} | {each['tries']}{'' if each['profile'] == 'full' else ' (quick)'} | {each['failures']} |"
            f" below {100 * each['bound_95']:.1f} % | {control} | {each['seconds']:.0f} | {each['commit']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Put the table in its place."""
    results = json.loads((ROOT / "build" / "faults.json").read_text())
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + section(results) + END + after)


if __name__ == "__main__":
    main()
