"""What the start page shows: the state of services, waiting plans, the last runs, and links to the forms.

Plain HTML that JupyterLab also shows in an untrusted notebook, before a kernel starts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import islice
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from ecr_widgets.audit.deployers import deploy_of, deploys_by_service, image_of
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.verdict_signs import look_of
from ecr_widgets.connections import deploy_targets
from ecr_widgets.doctor import Finding, examine
from ecr_widgets.engine.approval import WaitingPlan, waiting_plans
from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.amounts import ago
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.markup import Markup, element
from ecr_widgets.model.paths import is_folder
from ecr_widgets.model.times import from_rfc3339, to_rfc3339
from ecr_widgets.runbooks import list_runbooks
from ecr_widgets.steps.shared.layer0_on_ecs import Listed
from ecr_widgets.steps.shared.service_list import ListedService, list_with_state, short_reference

T = TypeVar("T")
_LONGEST_S = 15.0
"""For all requests together: a late page is worse than one that says what did not answer."""
_LAST_RUNS = 10
_FIRST = ("release", "deploy", "rollback", "scale", "task")
_SIGN_OF_STATE = {"stable": "●", "stopped": "○", "gone": "○", "failed": "✗"}
_CELL = "text-align:left;padding:2px 12px 2px 0"


@dataclass(frozen=True, slots=True)
class Page:
    """The start page at one moment; a part that did not answer is a text that says so."""

    at: datetime
    findings: Sequence[Finding] | str
    services: Sequence[ListedService] | str
    waiting: Sequence[WaitingPlan] | str
    runs: Sequence[Row] | str
    deployers: dict[str, Row]
    """The run that brought a service to what it runs, by environment/service."""
    runs_from: str
    """Link from the page's folder to the saved runs; empty if they are not below it."""

    def bundle(self) -> dict[str, str]:
        """The page as HTML and as plain text."""
        return {"text/html": _html(self), "text/plain": _text(self)}

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self.bundle()


def look(folder: Path, runs: Place, *, longest_s: float = _LONGEST_S) -> Page:
    """Look at services, plans and runs in parallel, for at most `longest_s` seconds.

    Args:
        folder: The desk.

        runs: Where runs are saved; it need not exist.
    """
    pool = ThreadPoolExecutor(4)
    found, listed = pool.submit(examine), pool.submit(_services)
    plans, read = pool.submit(waiting_plans, runs), pool.submit(_rows, runs)
    deadline_s = time.monotonic() + longest_s
    findings, services = _answer(found, deadline_s), _answer(listed, deadline_s)
    waiting, rows = _answer(plans, deadline_s), _answer(read, deadline_s)
    # Do not wait for late answers.
    pool.shutdown(wait=False, cancel_futures=True)
    deployers: dict[str, Row] = {}
    if not isinstance(services, str) and not isinstance(rows, str):
        by_service = deploys_by_service(rows)
        for each in services:
            row = deploy_of(by_service.get(each.name, ()), each.digests)
            if row is not None:
                deployers[each.name] = row
    return Page(
        datetime.now(UTC),
        findings,
        services,
        waiting,
        rows if isinstance(rows, str) else rows[:_LAST_RUNS],
        deployers,
        _link_to(runs, folder),
    )


def _answer(asked: Future[T], deadline_s: float) -> T | str:
    try:
        return asked.result(timeout=max(0.0, deadline_s - time.monotonic()))
    except NotYet:
        return "no answer yet; run this cell to ask again"
    except EcrWidgetsError as error:
        return str(error)


def _services() -> tuple[ListedService, ...]:
    every = [each for services in deploy_targets(os.environ) for each in list_with_state(services)]
    known = Listed()
    return tuple(
        each
        for each in every
        if each.service is None
        or known.service(each.service, each.summary.environment, each.name) == each.name
    )


def _rows(runs: Place) -> tuple[Row, ...]:
    if isinstance(runs, Path) and not is_folder(runs):
        return ()
    with open_index(runs) as index:
        return tuple(islice(index.rows(), 1000))


def _link_to(runs: Place, folder: Path) -> str:
    if not isinstance(runs, Path):
        return ""
    try:
        return f"{runs.resolve().relative_to(folder.resolve()).as_posix()}/"
    except ValueError:
        return ""


def _html(page: Page) -> Markup:
    books = {book.name: book.title for book in list_runbooks()}
    return element(
        "div",
        element("h2", "ecr-widgets"),
        element("div", _doctor(page)),
        element("h3", "Start"),
        element(
            "div", *_spaced(_link(f"forms/{name}.ipynb", books[name].partition(":")[0]) for name in _FIRST)
        ),
        element(
            "div",
            "Each opens a form: press ▶ in its toolbar, fill it in, then Plan or Run.",
            style="opacity:.8",
        ),
        element("h3", "Services"),
        _table(
            page.services,
            ("", "service", "state", "copies", "image", "since", "by", "why"),
            lambda each: _service_cells(page, each),
            "no services",
        ),
        element("h3", "Waiting for approval"),
        _table(
            page.waiting,
            ("plan", "runbook", "planned by", "approve it with"),
            lambda each: (
                each.run_id,
                each.runbook,
                each.requested_by,
                element("code", f"ecr-widgets approve {each.run_id[-6:]}"),
            ),
            "nothing waits",
        ),
        element("h3", "Last runs"),
        _table(
            page.runs,
            ("", "when", "runbook", "what", "by", "why", "outcome"),
            lambda row: _run_cells(page, row),
            "no runs yet",
        ),
        element("h3", "Runbooks"),
        _table(
            list_runbooks(),
            ("runbook", "does", ""),
            lambda book: (
                _link(f"runbooks/{book.name}.ipynb", book.name),
                book.title,
                _link(f"forms/{book.name}.ipynb", "form"),
            ),
            "none",
        ),
        element(
            "div",
            f"As of {to_rfc3339(page.at)[:16].replace('T', ' ')} UTC. Press ▶ to look again.",
            style="opacity:.8",
        ),
        style="line-height:1.6",
    )


def _doctor(page: Page) -> Markup:
    if isinstance(page.findings, str):
        return element("span", f"doctor: {page.findings}")
    signs = [
        element("span", f"{'✓' if each.ok else '✗'} {each.what}{'' if each.ok else f': {each.told}'}")
        for each in page.findings
    ]
    return element("span", *_spaced(signs))


def _service_cells(page: Page, each: ListedService) -> tuple[str, ...]:
    row = page.deployers.get(each.name)
    image = ", ".join(map(short_reference, each.images)) or each.deploy_id
    return (
        _SIGN_OF_STATE.get(each.state.value, "◐"),
        each.name,
        each.state.value,
        each.copies,
        image_of(each.images, row) or image,
        ago(page.at - each.since) if each.since is not None else "",
        (row.actor or "") if row is not None else "",
        row.note if row is not None else "",
    )


def _run_cells(page: Page, row: Row) -> tuple[str, ...]:
    name, shown = row.runbook or row.path, look_of(row)
    return (
        shown.sign,
        ago(page.at - from_rfc3339(row.started_at)) if row.started_at else "",
        _link(f"{page.runs_from}{row.path}", name) if page.runs_from else name,
        row.what,
        row.actor or "",
        row.note,
        shown.words,
    )


def _table(
    rows: Sequence[T] | str, headers: Sequence[str], cells: Callable[[T], Iterable[str]], none: str
) -> Markup:
    if isinstance(rows, str):
        return element("div", rows)
    if not rows:
        return element("div", none, style="opacity:.8")
    return element(
        "table",
        element("tr", *(element("th", each, style=_CELL) for each in headers)),
        *(element("tr", *(element("td", each, style=_CELL) for each in cells(row))) for row in rows),
        style="border:0;margin:0",
    )


def _link(path: str, text: str) -> Markup:
    return Markup(f'<a href="{escape(quote(path))}">{escape(text)}</a>')


def _spaced(parts: Iterable[Markup]) -> tuple[Markup, ...]:
    return tuple(element("span", each, style="display:inline-block;margin-right:16px") for each in parts)


def _text(page: Page) -> str:
    def lines(title: str, rows: Sequence[T] | str, text_of: Callable[[T], str]) -> list[str]:
        return [title, *([f"  {rows}"] if isinstance(rows, str) else [f"  {text_of(each)}" for each in rows])]

    return "\n".join(
        (
            *lines("Doctor", page.findings, lambda each: f"{'ok' if each.ok else 'missing'}: {each.what}"),
            *lines(
                "Services", page.services, lambda each: " ".join(filter(None, _service_cells(page, each)))
            ),
            *lines("Waiting for approval", page.waiting, str),
            *lines("Last runs", page.runs, lambda row: f"{row.path}: {look_of(row).words}"),
        )
    )
