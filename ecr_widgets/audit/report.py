"""One HTML file for people without our tools: safe to open whatever the notebooks contain.

Nothing in it runs and nothing is fetched: a content security policy forbids all but inline styles, everything from outside
is escaped in one place, `_text`, and no output of a notebook is taken over as HTML.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ecr_widgets.audit.figures import ServiceFigures, figures
from ecr_widgets.audit.findings import Verification
from ecr_widgets.audit.one_history import OneHistory, one_history
from ecr_widgets.audit.overview import duration, four_figures, grid, runs_now
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.showing import show_run
from ecr_widgets.audit.verdict_signs import look_of, sign_of
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.text import cut, visible
from ecr_widgets.model.times import to_rfc3339

MAX_ROWS = 5000
"""How many of the newest runs are in the table; the report says how many are left out."""
MAX_DETAILS = 300
"""How many of the newest runs are shown with their steps."""
_MAX_TEXT = 2000
_MOST_SERVICES = 12
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_STYLE = """
:root{color-scheme:light dark;--fg:#1f2328;--mut:#59636e;--bg:#fff;--line:#d8dee4}
@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--mut:#9198a1;--bg:#0d1117;--line:#30363d}}
body{font:14px/1.45 system-ui,sans-serif;margin:1.2em auto;max-width:1360px;padding:0 1em;color:var(--fg);background:var(--bg)}
h1{font-size:20px;margin:0}h2{font-size:16px;margin:1em 0 0}p{margin:4px 0}a{color:inherit}
table{border-collapse:collapse;width:100%;margin:6px 0}th,td{text-align:left;padding:2px 10px 2px 0;vertical-align:top;
border-bottom:1px solid var(--line);overflow-wrap:break-word}th{white-space:nowrap;color:var(--mut);font-weight:600}
td.s{white-space:nowrap;max-width:19em;overflow:hidden;text-overflow:ellipsis}td.t{overflow-wrap:anywhere;min-width:9em}
code,pre{font-size:12px;white-space:pre-wrap;
overflow-wrap:anywhere;margin:0}summary{cursor:pointer}details{margin:4px 0}svg{max-width:100%;height:auto}
.chip{color:#fff;border-radius:9px;padding:0 8px}.side{display:flex;flex-wrap:wrap;gap:0 28px;align-items:flex-start}
.side>*{flex:1 1 480px}.side svg,h1+p+svg{color:var(--mut)}.m{color:var(--mut)}
td.y{min-width:6em}td.w{max-width:17em;overflow:hidden;text-overflow:ellipsis}
.r{display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden}@media(max-width:1100px){.x{display:none}}
"""


def write_report(
    out: Path,
    runs: Place,
    rows: Iterable[Row],
    *,
    checked: Verification | None,
    now: datetime,
    adopted: Iterable[Iterable[str]] = (),
) -> None:
    """Write the report.

    Args:
        runs: The folder or bucket from which the newest runs' steps are read.

        rows: Newest first.

        checked: What `verify` found; None if it did not run.

        adopted: All names of each adopted service.

    Raises:
        OSError: It cannot be written.
    """
    with out.open("w", encoding="utf-8") as file:
        file.writelines(_document(out, runs, list(rows), checked, now, adopted))


def _document(
    out: Path,
    runs: Place,
    rows: Sequence[Row],
    checked: Verification | None,
    now: datetime,
    adopted: Iterable[Iterable[str]],
) -> Iterator[str]:
    by_service = one_history(rows, adopted)
    yield (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
        f"<title>Audit of saved runs</title><style>{_STYLE}</style></head><body>"
    )
    # A browser cannot open objects in a bucket.
    folder = os.path.relpath(runs.resolve(), out.resolve().parent) if isinstance(runs, Path) else None
    numbers = {
        row.path: at for at, row in enumerate(filter(_is_run, islice(rows, MAX_ROWS))) if at < MAX_DETAILS
    }
    yield from _first_lines(rows, checked, now)
    if (plot := four_figures(by_service.rows)) is not None:
        yield plot.to_svg(ink="currentColor")
    yield '<div class="side">'
    yield from _now(by_service, numbers)
    if (plot := grid(*by_service)) is not None:
        yield f"<div><h2>By day</h2>{plot.to_svg(ink='currentColor')}</div>"
    yield "</div>"
    yield (
        "<h2>Runs</h2><table><tr><th>outcome<th>started (UTC)<th class=x>runbook<th>what<th>who<th>why<th class=x>took"
        "<th class=x>verdict<th class=x>seal<th>notebook and reason</tr>"
    )
    for row in rows[:MAX_ROWS]:
        yield _row(row, folder, numbers)
    yield "</table>"
    if len(rows) > MAX_ROWS:
        yield f"<p>{len(rows) - MAX_ROWS} older notebooks are counted above and not listed.</p>"
    yield from _figures(figures(*by_service))
    yield from _seals(checked)
    yield "<h2>Steps of the newest runs</h2>"
    for row in rows[:MAX_ROWS]:
        if row.path in numbers:
            yield _details(show_run(runs, row), numbers[row.path])
    yield "</body></html>\n"


def _is_run(row: Row) -> bool:
    return bool(row.run_id)


def _first_lines(rows: Sequence[Row], checked: Verification | None, now: datetime) -> Iterator[str]:
    counts = Counter(each.words.partition(":")[0] for each in map(look_of, rows))
    verdicts = ", ".join(f"{count} {each}" for each, count in counts.most_common())
    order = "" if checked is None else f" · seals {checked.words}"
    times = [row.started_at for row in rows if row.started_at]
    span = f" · {min(times)[:10]} to {max(times)[:10]}" if times else ""
    yield f"<h1>Saved runs{span}{order}</h1>"
    yield f'<p class="m">{_text(to_rfc3339(now))}: {len(rows)} notebooks: {_text(verdicts) or "none"}.</p>'


def _now(by_service: OneHistory, numbers: Mapping[str, int]) -> Iterator[str]:
    services = runs_now(by_service.rows)
    if not services:
        return
    yield "<div><h2>Now</h2><table><tr><th>service<th>image<th>state<th>since (UTC)<th>by</tr>"
    for each in services[:_MOST_SERVICES]:
        names = "<br>= ".join(map(_text, (each.service, *by_service.other_names.get(each.service, ()))))
        yield (
            f'<tr><td class="s">{names}<td class="s">{_text(each.what)}<td class="s">{_text(each.how)}'
            f'<td class="s">{_linked(_when(each.since), each.row, numbers)}<td class="s">{_text(each.actor)}</tr>'
        )
    yield "</table>"
    if len(services) > _MOST_SERVICES:
        yield f"<p>{len(services) - _MOST_SERVICES} more services are in the tables below.</p>"
    yield "</div>"


def _when(moment: str) -> str:
    return _text(moment[:16].replace("T", " "))


def _linked(shown: str, row: Row, numbers: Mapping[str, int]) -> str:
    """Link what is shown to the run's steps below, if they are included."""
    at = numbers.get(row.path)
    return shown if at is None else f'<a href="#run-{at}">{shown}</a>'


def _seals(checked: Verification | None) -> Iterator[str]:
    if checked is None:
        return
    checks = checked.to_json()
    counts = ", ".join(f"{count} {finding}" for finding, count in sorted(checks["counts"].items()))
    yield f"<h2>Seals: {checked.words}</h2><p>{_text(counts) or 'no run'}</p><ul>"
    for file in checks["files"][:MAX_ROWS]:
        yield f"<li><b>{_text(file['finding'])}</b> <code>{_text(file['path'])}</code>: {_text('; '.join(file['what']))}"
    for why in checked.chain[:MAX_ROWS]:
        yield f"<li><b>chain</b>: {_text(why)}"
    for step in checked.next_steps:
        yield f"<li><b>next</b>: {_text(step)}"
    yield (
        "</ul><p>Seals cannot tell whether a run was faithful to begin with, nor, without an exported head, whether the "
        "newest runs were cut off together with their seals.</p>"
    )


def _figures(services: Sequence[ServiceFigures]) -> Iterator[str]:
    if not services:
        return
    yield "<h2>By service</h2><table><tr><th>service<th>deploys<th>a day<th>failed<th>recovered in (median)<th>lead time (median)<th>down since</tr>"
    for one in services:
        recovery = "–" if one.median_recovery_s is None else duration(one.median_recovery_s)
        lead = "–" if one.median_lead_s is None else duration(one.median_lead_s)
        yield (
            f'<tr><td class="t">{_text(one.names)}<td class="s">'
            f"{one.deploys}<td>{one.deploys_a_day:g}<td>{one.failed}"
            f" ({one.failure_rate:.0%})<td>{recovery}<td>{lead}<td>{_text(one.down_since or '–')}</tr>"
        )
    yield "</table>"


def _row(row: Row, folder: str | None, numbers: Mapping[str, int]) -> str:
    took = "" if row.duration_s is None else duration(row.duration_s)
    named = f"<code>{_text(row.path)}</code>"
    if folder is not None:
        # Relative, with every character escaped that could make it a different address.
        address = f"./{quote(os.fsencode(f'{folder}/{row.path}'))}"
        named = f'<a href="{escape(address)}">{named}</a>'
    return (
        f'<tr><td class="s">{_chip(row)}'
        f'<td class="s">{_linked(_when(row.started_at or ""), row, numbers)}<td class="s x">{_text(row.runbook)}'
        f'<td class="w">{_text(row.what) or "<br>".join(map(_text, row.services))}<td class="s">{_text(row.actor)}'
        f'<td class="w y">{_text(row.note)}<td class="s x">{took}'
        f'<td class="s x">{_text(row.verdict)}<td class="s x">{_text(row.seal)}'
        f'<td class="t">{named}<span class="r">{_text(row.remark)}</span></tr>'
    )


def _chip(row: Row) -> str:
    sign, words, colour = look_of(row)
    return f'<span class="chip" style="background:{colour}">{sign} {_text(words)}</span>'


def _details(run: dict[str, Any], number: int) -> str:
    steps = "".join(
        f'<tr><td class="s">{_text(step["step"])}<td class="s">{_text(step["state"])}'
        f'<td class="s">{_text(step["changed"])}<td class="t"><pre>{_text(step["error"] or step["outcome"])}</pre></tr>'
        for step in run["steps"]
    )
    return (
        f'<details id="run-{number}"><summary>{sign_of(run["verdict"])} '
        f"{_text(run['verdict'])} {_text(run['run_id'])} {_text(run['runbook'])}</summary>"
        f"<p>By {_text(run['actor'])} on {_text(run['host'])}. Parameters:</p><pre>{_text(run['parameters'])}</pre>"
        f"<table><tr><th>step<th>state<th>changed<th>outcome or error</tr>{steps}</table></details>"
    )


def _text(value: Any) -> str:
    """Any value as escaped text, shortened."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return escape(cut(visible(text), _MAX_TEXT))
