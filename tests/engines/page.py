"""Writes the table of `docs/engines.md` from `build/engines.json`; nothing in it is written by hand.

Usage: python -m tests.engines.page
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "engines.md"
BEGIN, END = "<!-- written from build/engines.json -->\n", "<!-- end -->\n"


def section(results: Mapping[str, Any]) -> str:
    """What is between the marks: the table, a line a step, then the words of refusals and of what is wrong."""
    rows = results["rows"]
    engines = list(dict.fromkeys((row["engine"], row["store"]) for row in rows))
    versions = {(row["engine"], row["store"]): row["version"] for row in rows}
    lines = ["| step | " + " | ".join(f"{name}, {store}" for name, store in engines) + " |"]
    lines += ["|---" * (len(engines) + 1) + "|"]
    for step in dict.fromkeys(row["step"] for row in rows):
        cells = {(row["engine"], row["store"]): _cell(row) for row in rows if row["step"] == step}
        lines.append(f"| {step} | " + " | ".join(cells.get(engine, "") for engine in engines) + " |")
    lines.append("| version | " + " | ".join(versions[engine] for engine in engines) + " |")
    lines += ["", f"Tried at commit {', '.join(dict.fromkeys(row['commit'] for row in rows))}."]
    words = _words([row for row in rows if row["refused"] or not row["ok"]])
    lines += [f"Not tried: {each}." for each in results["not_tried"]]
    return "\n".join([*lines, *([""] if words else []), *words]) + "\n"


def _cell(row: Mapping[str, Any]) -> str:
    if not row["ok"]:
        return "**wrong**"
    return "refused" if row["refused"] else "ok"


def _words(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each refusal once, with the engines that it is of; addresses of the trial left out."""
    said: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        text = re.sub(r"127\.0\.0\.1:\d+", "REGISTRY", " ".join((row["refused"] or row["note"]).split()))
        text = re.sub(r"[0-9a-f]{64}", "…", text)
        said.setdefault((row["step"], text), []).append(f"{row['engine']}, {row['store']}")
    return [f"* {step}. {'; '.join(engines)}: {text}" for (step, text), engines in said.items()]


def main() -> None:
    """Put the table in its place."""
    results = json.loads((ROOT / "build" / "engines.json").read_text())
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + section(results) + END + after)


if __name__ == "__main__":
    main()
