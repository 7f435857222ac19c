"""Writes the table of `docs/reliability.md` from `build/faults.json`, where what was not tried this time keeps its line.

Usage: python -m tests.faults.page
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written from build/faults.json -->\n", "<!-- end -->\n"
HEAD = """\
| row | fault | tries | failures | failure rate at 95 % | control | seconds | commit |
|---:|---|---:|---:|---|---|---:|---|
"""
UNTRIED = "| quick profile in `make test` | | | | | |"


def section(results: Mapping[str, Any], before: str, plan: Mapping[int, str]) -> str:
    """What is between the marks: what the newest tries ran with, and the table.

    Args:
        results: What `build/faults.json` holds; empty where nothing was tried.

        before: What was between the marks; its lines stay for rows of the plan that were not tried again.

        plan: Every row by its number, with the fault that it tries.
    """
    lines = re.findall(r"^\| \d+ .*$", before, re.MULTILINE)
    kept = {int(line.split("|")[1]): line for line in lines if not line.endswith(UNTRIED)}
    tried = {each["row"]: _line(each) for each in results.get("rows", ())}
    now = {number: tried.get(number) or kept.get(number) or _untried(number, plan[number]) for number in plan}
    versions = ", ".join(f"{name} {version}" for name, version in results.get("versions", {}).items())
    said = f"Tried with {versions}.\n" if versions else before.partition("\n\n")[0] + "\n"
    return said + "\n" + table(now[number] for number in sorted(now))


def table(lines: Iterable[str]) -> str:
    """The table in Markdown."""
    return HEAD + "\n".join(lines) + "\n"


def _untried(number: int, what: str) -> str:
    return f"| {number} | {_of_one_line(what)} {UNTRIED}"


def _line(each: Mapping[str, Any]) -> str:
    """A row of the plan with what its tries gave."""
    note = _of_one_line(each["note"])
    if each.get("skipped"):
        return f"| {each['row']} | {note} | skipped: {each['skipped']} | | | | | |"
    control = "fails, as it should" if each["control_failed"] else "**holds: the row is void**"
    tries = f"{each['tries']}{'' if each['profile'] == 'full' else ' (quick)'}"
    return (
        f"| {each['row']} | {note} | {tries} | {each['failures']} | below {100 * each['bound_95']:.1f} % |"
        f" {control} | {each['seconds']:.0f} | {each['commit']} |"
    )


def _of_one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")  # either would end the row or a cell


def main() -> None:
    """Put the table in its place."""
    from tests.faults import rows  # noqa: F401 -- fills the plan
    from tests.faults.plan import ROWS

    file = ROOT / "build" / "faults.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    before, _, rest = PAGE.read_text().partition(BEGIN)
    inside, _, after = rest.partition(END)
    plan = {number: row.what for number, row in ROWS.items()}
    PAGE.write_text(before + BEGIN + section(results, inside, plan) + END + after)


if __name__ == "__main__":
    main()
