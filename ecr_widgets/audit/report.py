"""One HTML file for people without any of our tools: safe to open whatever stands in the notebooks.

Nothing in it runs and nothing is fetched: a content security policy forbids all but inline styles, everything from outside
is escaped in one place, `_text`, and no output of a notebook is taken over as HTML.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

from ecr_widgets.audit.figures import ServiceFigures, figures
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.showing import show_run
from ecr_widgets.audit.timeline import colour_of, sign_of, to_svg
from ecr_widgets.audit.verify import Verification
from ecr_widgets.model.text import visible
from ecr_widgets.model.times import to_rfc3339

MAX_ROWS = 5000
"""Newest runs in the table; the rest is counted and said to be left out."""
MAX_DETAILS = 300
"""Newest runs with their steps."""
_MAX_TEXT = 2000
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STYLE = """
body{font:14px/1.5 sans-serif;margin:2em auto;max-width:1000px;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;width:100%;margin:1em 0}th,td{text-align:left;padding:3px 10px 3px 0;vertical-align:top;
border-bottom:1px solid #eee;overflow-wrap:break-word}th{border-color:#999;white-space:nowrap}
td.s{white-space:nowrap;max-width:15em;overflow:hidden;text-overflow:ellipsis}td.t{overflow-wrap:anywhere;min-width:12em}
code,pre{font-size:12px;white-space:pre-wrap;
overflow-wrap:anywhere;margin:0}summary{cursor:pointer}details{margin:4px 0}svg{max-width:100%;height:auto}
"""


def write_report(
    out: Path, runs: Path, rows: Iterable[Row], *, checked: Verification | None, now: datetime
) -> None:
    """Write the report.

    Args:
        runs: The runs folder, from which the newest runs' steps are read.

        rows: Newest first.

        checked: What `verify` found, None where it was not asked.

    Raises:
        OSError: It cannot be written.
    """
    with out.open("w", encoding="utf-8") as file:
        file.writelines(_document(runs, list(rows), checked, now))


def _document(runs: Path, rows: Sequence[Row], checked: Verification | None, now: datetime) -> Iterator[str]:
    yield (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
        f"<title>Audit of saved runs</title><style>{_STYLE}</style></head><body><h1>Audit of saved runs</h1>"
    )
    counts = Counter(row.verdict for row in rows)
    told = ", ".join(f"{sign_of(verdict)} {count} {verdict}" for verdict, count in counts.most_common())
    yield f"<p>{_text(to_rfc3339(now))}: {len(rows)} notebooks: {_text(told) or 'none'}.</p>"
    yield from _seals(checked)
    yield to_svg(rows)
    yield from _figures(figures(rows))
    yield "<h2>Runs</h2><table><tr><th>verdict<th>started (UTC)<th>took<th>runbook<th>service<th>seal<th>notebook and reason</tr>"
    for row in rows[:MAX_ROWS]:
        yield _row(row)
    yield "</table>"
    if len(rows) > MAX_ROWS:
        yield f"<p>{len(rows) - MAX_ROWS} older notebooks are counted above and not listed.</p>"
    yield "<h2>Steps of the newest runs</h2>"
    for row in islice((row for row in rows if row.run_id), MAX_DETAILS):
        yield _details(show_run(runs, row))
    yield "</body></html>\n"


def _seals(checked: Verification | None) -> Iterator[str]:
    if checked is None:
        return
    told = checked.to_json()
    counts = ", ".join(f"{count} {finding}" for finding, count in sorted(told["counts"].items()))
    yield f"<h2>Seals: {'in order' if checked.ok else 'NOT in order'}</h2><p>{_text(counts) or 'no run'}</p><ul>"
    for file in told["files"][:MAX_ROWS]:
        yield f"<li><b>{_text(file['finding'])}</b> <code>{_text(file['path'])}</code>: {_text('; '.join(file['what']))}"
    for why in checked.chain[:MAX_ROWS]:
        yield f"<li><b>chain</b>: {_text(why)}"
    yield (
        "</ul><p>Seals cannot tell whether a run was faithful to begin with, nor, without an exported head, whether the "
        "newest runs were cut off together with their seals.</p>"
    )


def _figures(found: Sequence[ServiceFigures]) -> Iterator[str]:
    if not found:
        return
    yield "<h2>By service</h2><table><tr><th>service<th>deploys<th>a day<th>failed<th>recovered in (median)<th>down since</tr>"
    for one in found:
        recovery = "–" if one.median_recovery_s is None else f"{one.median_recovery_s / 60:.1f} min"
        yield (
            f'<tr><td class="t">{_text(one.service)}<td class="s">'
            f"{one.deploys}<td>{one.deploys_a_day:g}<td>{one.failed}"
            f" ({one.failure_rate:.0%})<td>{recovery}<td>{_text(one.down_since or '–')}</tr>"
        )
    yield "</table>"


def _row(row: Row) -> str:
    took = "" if row.duration_s is None else f"{row.duration_s:.1f} s"
    return (
        f'<tr><td class="s" style="color:{colour_of(row.verdict)}">{sign_of(row.verdict)} {_text(row.verdict)}'
        f'<td class="s">{_text((row.started_at or "")[:19].replace("T", " "))}<td class="s">{took}'
        f'<td class="s">{_text(row.runbook)}<td class="s">{"<br>".join(map(_text, row.services))}'
        f'<td class="s">{_text(row.seal)}<td class="t"><code>{_text(row.path)}</code> {_text(row.why)}</tr>'
    )


def _details(told: dict[str, Any]) -> str:
    steps = "".join(
        f'<tr><td class="s">{_text(step["step"])}<td class="s">{_text(step["state"])}'
        f'<td class="s">{_text(step["changed"])}<td class="t"><pre>{_text(step["error"] or step["outcome"])}</pre></tr>'
        for step in told["steps"]
    )
    return (
        f'<details><summary><span style="color:{colour_of(told["verdict"])}">{sign_of(told["verdict"])} '
        f"{_text(told['verdict'])}</span> {_text(told['run_id'])} {_text(told['runbook'])}</summary>"
        f"<p>By {_text(told['actor'])} on {_text(told['host'])}. Parameters:</p><pre>{_text(told['parameters'])}</pre>"
        f"<table><tr><th>step<th>state<th>changed<th>outcome or error</tr>{steps}</table></details>"
    )


def _text(value: Any) -> str:
    """Anything as text that no browser takes for more."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
    shown = visible(text)
    return escape(shown if len(shown) <= _MAX_TEXT else shown[:_MAX_TEXT] + "…")
