"""Rows 52 to 56: names and texts that want to act, in reports, panels, terminals and paths."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click.testing
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from ecr_widgets.audit.index import Index
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.report import write_report
from ecr_widgets.audit.verify import verify
from ecr_widgets.cli.audit import command
from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.panels.picture import Picture
from ecr_widgets.runbooks import find_runbook
from tests.audit.runs import change_record, recorded, save
from tests.chromium import PROGRAM, launched
from tests.faults.plan import batch

HOST = "http://127.0.0.1:9"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ACTS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<details open ontoggle=alert(1)>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>", "<input autofocus onfocus=alert(1)>",
    "<a href=javascript:alert(1)>x</a>", "<math><mtext></math><img src onerror=alert(1)>", "<video><source onerror=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
]  # fmt: skip
_BEFORE = ("", '">', "'>", "</title>", "</style>", "<!-->")
SCRIPTS = [before + act for before in _BEFORE for act in _ACTS]
"""60 payloads: ten that act, each out of six surroundings."""
LOADS = [
    f"<meta http-equiv=refresh content='0;url={HOST}'>", f"<form action={HOST}><input name=body></form>",
    f"<link rel=stylesheet href={HOST}/x.css>", f"<img src={HOST}/b.png>", f"<style>@import '{HOST}/x'</style>",
    f"<p style='background:url({HOST}/x)'>x</p>", f"<base href={HOST}/>", f"<object data={HOST}/x></object>",
    f"<embed src={HOST}/x>", f"<video poster={HOST}/x></video>", f"<audio src={HOST}/x autoplay></audio>",
    f"<iframe src={HOST}/x></iframe>", f"<svg><image href='{HOST}/x'/></svg>", f"<table background={HOST}/x></table>",
    f"<input type=image src={HOST}/x>", f"<link rel=preload as=image href={HOST}/x>", f"<body background={HOST}/x>",
    "<form id=body><input name=attributes></form>", f"<img srcset='{HOST}/x 1x'>", f"<style>*{{background:url({HOST}/y)}}</style>",
]  # fmt: skip
SINKS = (
    "tag", "repository", "description", "environment", "deploy", "error", "title", "html", "svg", "javascript", "latex",
    "markdown", "png", "widgets",
)  # fmt: skip
_MIMES = {
    "html": "text/html", "svg": "image/svg+xml", "javascript": "application/javascript", "latex": "text/latex",
    "markdown": "text/markdown", "png": "image/png",
}  # fmt: skip


def attacked(sink: str, payload: str) -> dict[str, Any]:
    """A failed run with the payload in one place."""
    notebook = recorded("failed")
    about = notebook["metadata"]["ecr_widgets"]
    if sink in _MIMES:
        output = {"data": {_MIMES[sink]: payload}, "metadata": {}, "output_type": "display_data"}
        next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["outputs"].append(output)
    elif sink == "widgets":
        mime = "application/vnd.jupyter.widget-state+json"
        notebook["metadata"]["widgets"] = {mime: {"state": {payload: {"state": {"value": payload}}}}}
    elif sink == "title":
        about |= {"runbook": payload, "run_id": payload}
        notebook["metadata"]["title"] = payload
    elif sink == "description":
        about |= {"actor": payload, "reason": payload, "parameters": {payload: payload}}
    elif sink == "error":
        change_record(notebook, "wait", error={"message": payload, "log": [payload]})
    else:
        step = {"tag": "push_image", "repository": "push_image", "deploy": "create_deploy"}.get(
            sink, "update_service"
        )
        key = "service" if sink == "environment" else sink
        change_record(notebook, step, inputs={key: payload, sink: payload}, outcome={sink: payload})
    return notebook


_MISSING = "chromium is not installed: apt-get install chromium-headless-shell"
_shared: list[Browser] = []


@contextmanager
def one_browser() -> Iterator[None]:
    """All that is looked at meanwhile is in the same browser."""
    assert PROGRAM, _MISSING
    with launched() as browser:
        _shared.append(browser)
        try:
            yield
        finally:
            _shared.clear()
    del browser


@contextmanager
def watched() -> Iterator[tuple[Page, list[str]]]:
    """A page, and what went wrong in it: dialogs, requests beyond the file, errors on the console."""
    wrong: list[str] = []
    assert PROGRAM, _MISSING
    with nullcontext(_shared[0]) if _shared else launched() as browser:
        page = browser.new_page()
        page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda asked: asked.url.startswith("file:") or wrong.append(asked.url))
        page.on("console", lambda said: said.type == "error" and wrong.append(f"console {said.text}"))
        yield page, wrong
        page.close()


LIVE = (
    "script,iframe,form,link,object,base,embed,video,audio,img:not([src^='data:image/svg+xml']),"
    "a:not([href^='#run-']):not([href^='./'][href$='.ipynb'])"
)
"""Elements that a report has no business with; its pictures cannot run anything, and its links lead to runs."""


def _in_reports(payloads: list[str], tries: int, seed: int) -> tuple[int, int, str]:
    pairs = [(payload, sink) for payload in payloads for sink in SINKS]
    chosen = pairs if tries >= len(pairs) else random.Random(seed).sample(pairs, tries)
    failed, said, sensed = 0, [], 0
    with watched() as (page, wrong), tempfile.TemporaryDirectory(prefix="ft-") as made:
        folder = Path(made)
        for at in range(0, len(chosen), 14):
            some = chosen[at : at + 14]
            runs = folder / f"{at}"
            for number, (payload, sink) in enumerate(some):
                save(runs, "failed", f"{number}.ipynb", attacked(sink, payload))
            out = folder / f"{at}.html"
            with Index(runs, None) as index:
                index.update()
                rows = list(index.rows())
                checked = verify(runs, [row.path for row in rows], ring=KeyRing(folder / "keys"))
                write_report(out, runs, rows, checked=checked, now=NOW)
            wrong.clear()
            page.goto(out.as_uri())
            page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
            page.wait_for_timeout(50)
            live = page.locator(LIVE).count()
            if wrong or live or len(rows) != len(some):
                failed += len(some)
                said += wrong[:1] or [f"{live} live elements, {len(rows)} rows"]
        bare = payloads[: 20 if len(chosen) == len(pairs) else 5]
        for payload in bare:
            wrong.clear()
            (folder / "control.html").write_text(f"<!doctype html><meta charset=utf-8>{payload}")
            with suppress(PlaywrightError):  # a refresh takes the page away
                page.goto((folder / "control.html").as_uri())
                page.wait_for_timeout(50)
            sensed += bool(wrong)
    return (
        failed,
        sensed,
        "; ".join([f"control: {sensed} of {len(bare)} act where nothing is escaped", *said[:2]]),
    )


@batch(52, "scripts in every place of an audit report, in a real browser", tries=60 * 14, quick=42)
def scripts_in_reports(tries: int, seed: int) -> tuple[int, int, str]:
    """No dialog, no request, no error on the console, no live element."""
    return _in_reports(SCRIPTS, tries, seed)


@batch(54, "clobbering, forms, refreshes, style sheets and beacons in a report", tries=20 * 14, quick=28)
def loads_in_reports(tries: int, seed: int) -> tuple[int, int, str]:
    """As with scripts."""
    return _in_reports(LOADS, tries, seed)


_FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "kind": lambda text: {"kind": text},
    "title": lambda text: {"title": text},
    "column": lambda text: {"columns": (text, "b")},
    "first cell": lambda text: {"rows": ((text, ""),)},
    "last cell": lambda text: {"rows": (("", text),)},
    "note": lambda text: {"note": text},
    "problem": lambda text: {"problem": text},
    "all": lambda text: {"title": text, "rows": ((text, text),), "problem": text},
}


@batch(
    53, "scripts in every field of a panel's picture, in a page that cleans nothing", tries=60 * 8, quick=24
)
def scripts_in_panels(tries: int, seed: int) -> tuple[int, int, str]:
    """A bare page is stricter than JupyterLab, which cleans what it shows untrusted."""
    pairs = [(payload, field) for payload in SCRIPTS for field in _FIELDS]
    chosen = pairs if tries >= len(pairs) else random.Random(seed).sample(pairs, tries)
    bare = SCRIPTS[: 10 if len(chosen) == len(pairs) else 5]
    failed = sensed = 0
    plain = {"kind": "k", "title": "t", "at": NOW, "columns": ("a", "b"), "rows": (("1", "2"),)}
    with watched() as (page, wrong), tempfile.TemporaryDirectory(prefix="ft-") as made:
        file = Path(made) / "p.html"
        for number, (payload, field) in enumerate([*chosen, *((each, "control") for each in bare)]):
            text = payload if field == "control" else Picture(**plain | _FIELDS[field](payload)).to_html()
            wrong.clear()
            file.write_text(f"<!doctype html><meta charset=utf-8>{text}")
            page.goto(file.as_uri())
            page.wait_for_timeout(20)
            if number >= len(chosen):
                sensed += bool(wrong)
            else:
                failed += bool(wrong)
    return failed, sensed, f"control: {sensed} of {len(bare)} act where nothing is escaped"


_MARKS = ["\x1b[2J", "\x1b]8;;http://x\x07y\x1b]8;;\x07", "\u202e", "\0", "\n", "\r", "\x9b31m", "\u2066"]


@batch(55, "terminal escapes, direction marks, NUL and line ends in names", tries=40, quick=40)
def terminal_escapes(tries: int, seed: int) -> tuple[int, int, str]:
    """Each run stays one line of `audit list`, and nothing that acts on a terminal is printed by list, show or verify."""
    chance, failed, sensed = random.Random(seed), 0, 0
    for number in range(tries):
        mark = _MARKS[number % len(_MARKS)]
        hostile = f"a{mark}b{chance.choice(_MARKS)}c"
        with tempfile.TemporaryDirectory(prefix="ft-") as made, _own_home(made):
            runs = Path(made) / "runs"
            notebook = attacked("description", hostile)
            notebook["metadata"]["ecr_widgets"]["runbook"] = hostile
            change_record(notebook, "update_service", inputs={"service": hostile, "environment": hostile})
            save(runs, "failed", f"{hostile.replace(chr(0), '').replace('/', '')}.ipynb", notebook)
            run_id = notebook["metadata"]["ecr_widgets"]["run_id"]
            for words in (["list"], ["show", run_id], ["verify"], ["figures"]):
                told = click.testing.CliRunner().invoke(command, [*words, "--runs", str(runs)]).output
                bad = any(not c.isprintable() and c != "\n" for c in told)
                failed += bad or not told or (words == ["list"] and told.count("\n") != 2)
            sensed += not json.loads(json.dumps(hostile)).isprintable()
    return failed, sensed, "control: the name as it is holds marks that act"


@contextmanager
def _own_home(made: str) -> Iterator[None]:
    own = {"XDG_CACHE_HOME": f"{made}/cache", "XDG_DATA_HOME": f"{made}/data"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


_PATHS = (
    "../{}",
    "../../{}",
    "/{}",
    "%2e%2e/{}",
    "a/../../{}",
    "..\\{}",
    "./../{}",
    "{}\0",
    "a" * 300 + "{}",
    "CON/{}",
)


@batch(56, "paths out of the folder as run, repository and notebook names", tries=200, quick=40)
def paths(tries: int, seed: int) -> tuple[int, int, str]:
    """Refused with an error of ours, by audit, by the registry's names and by runbooks; links are not followed."""
    failed = sensed = 0
    with tempfile.TemporaryDirectory(prefix="ft-") as made:
        runs = Path(made) / "runs"
        secret = save(Path(made), "failed", "outside.ipynb")
        save(runs, "failed", "inside.ipynb")
        (runs / "link.ipynb").symlink_to(secret)
        (runs / "folder").symlink_to(made)
        with Index(runs, None) as index:
            index.update()
            told = {row.path: row.verdict for row in index.rows()}
            failed += told != {"inside.ipynb": "failed", "link.ipynb": "unreadable"}
            for number in range(tries):
                name = _PATHS[number % len(_PATHS)].format(
                    "outside.ipynb" if number // len(_PATHS) % 2 else f"n{number + seed}"
                )
                for refuses in (index.find, check_repository_name, find_runbook):
                    try:
                        refuses(name)
                    except EcrWidgetsError:
                        continue
                    except Exception:  # noqa: BLE001 -- an error that is not ours is a failure
                        pass
                    failed += 1
                try:
                    sensed += bool((runs / name).read_bytes())
                except (OSError, ValueError):
                    continue
    return failed, sensed, f"control: a plain join of paths reads outside {sensed} times"
