"""A runbook's parameters as a form in JupyterLab, made from the same cell as the command line's help.

Each value is checked while it is typed, by the rules of `ecr-widgets run`. The buttons run that command, so a run from the
form is like any other: its own kernel, saved notebook and record. Without a kernel a static picture of the form remains.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from threading import Thread
from typing import Any
from urllib.parse import quote

from ecr_widgets.adapters.run_stores import store_of
from ecr_widgets.errors import InputError
from ecr_widgets.model.bucket_path import Place, place_of
from ecr_widgets.model.parameters import Parameter
from ecr_widgets.model.record import StepRecord, StepState
from ecr_widgets.model.text import visible
from ecr_widgets.panels.choices import Choices
from ecr_widgets.panels.link import is_live
from ecr_widgets.runbooks import Runbook, find_runbook
from ecr_widgets.saved_runs.reading import read_records
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry
from ecr_widgets.settings import runs_of

_GROUPS = ("What", "Where", "How")
_WHAT = frozenset((
    "repository", "tag", "reference", "image", "source", "context", "dockerfile", "local_name", "dockerrun", "container",
    "deploy", "task", "copies", "name",
))  # fmt: skip
_WHERE = frozenset((
    "environment", "service", "cluster", "load_balancer", "service_file", "region", "profile", "registry",
))  # fmt: skip
_WIDTH = "min(440px, 60%)"
_BETWEEN_LOOKS_S = 0.3
_SIGNS = {
    StepState.SUCCEEDED: "✓",
    StepState.FAILED: "✗",
    StepState.UNKNOWN: "?",
    StepState.INTENDED: "○",
}
# -P keeps the current folder off the path: a file in it may be named like a module.
_COMMAND = (sys.executable, "-P", "-c", "from ecr_widgets.cli import main; main()", "run")


def open_form(name_or_path: str | Path, *, runs: str | Path | None = None) -> RunbookForm:
    """Return the form of a shipped runbook by its name, or of any runbook by its path; a cell's last line shows it.

    Args:
        runs: Folder or bucket in which its runs are saved; by default what $ECR_WIDGETS_RUNS names, or else the folder `runs`.

    Raises:
        InputError: No such runbook.

        SettingsError: The value for runs is not a valid bucket address.
    """
    place = runs_of(os.environ) if runs is None else place_of(str(runs))
    return RunbookForm(find_runbook(name_or_path), place, Choices(_kit))


def _kit() -> Any:
    """A kit that shows no records, for look-ups only."""
    from ecr_widgets.connections import connect
    from ecr_widgets.recording.terminal import QuietSink

    return connect(sink=QuietSink())


class RunbookForm:
    """Parameters as they are typed, what is wrong with them, and how the form's last run is doing."""

    def __init__(self, book: Runbook, runs: Place, choices: Choices) -> None:
        self._book, self._runs, self._choices = book, runs, choices
        self._store = store_of(runs)
        self._known = SecretRegistry(os.environ)
        self._display_id = f"ecrw-form-{token_hex(6)}"
        self.texts = {each.name: text_of(each.default) for each in book.parameters}
        """Values as a person types them, by name."""
        self.reason = ""
        """Why the run is made."""
        self.status = ""
        """How the last run ended."""
        self.steps: tuple[str, ...] = ()
        """The last run's steps so far, one line each."""
        self.saved: Place | None = None
        """The last run's notebook, once there is one."""
        self._process: subprocess.Popen[bytes] | None = None

    def problem(self, name: str) -> str:
        """What is wrong with a value; empty if it is fine. A secret is refused and not shown."""
        (parameter,) = (each for each in self._book.parameters if each.name == name)
        text = self.texts[name]
        if parameter.computed and not text:
            return ""
        try:
            refuse_secrets({name: text}, self._known)
            refuse_secrets({name: parameter.read(text)}, self._known)
        except InputError as error:
            return str(error)
        return ""

    def problem_of_reason(self) -> str:
        """What is wrong with the reason; empty if it is fine."""
        try:
            refuse_secrets({"reason": self.reason}, self._known)
        except InputError as error:
            return str(error)
        return ""

    @property
    def is_good(self) -> bool:
        """Whether every value can be used."""
        return not self.problem_of_reason() and not any(map(self.problem, self.texts))

    @property
    def command(self) -> str:
        """The same run as a command line; empty while a value cannot be used."""
        return shlex.join(["ecr-widgets", "run", *self._words()]) if self.is_good else ""

    def _words(self) -> list[str]:
        given = [
            word
            for each in self._book.parameters
            if self.texts[each.name] != text_of(each.default)
            for word in ("-p", each.name, self.texts[each.name])
        ]
        why = ["--reason", self.reason] if self.reason else []
        return [str(self._book.path), "--runs", str(self._runs), *why, *given]

    def run(self, *, plan: bool = False) -> Mapping[str, Any]:
        """Run the runbook with what is typed, wait for it to end, and return the document of `run --json`.

        Args:
            plan: Whether to make a plan only.

        Raises:
            InputError: It was refused; nothing was started.
        """
        # Check before they are on a command line, which everybody on this machine can read.
        if why := next(filter(None, (self.problem_of_reason(), *map(self.problem, self.texts))), ""):
            raise InputError(why)
        self.steps, self.saved = (), None
        # A run's name begins with its start time.
        since = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        before = {*self._runs_since(since)}
        words = [*_COMMAND, *self._words(), "--json", *(["--plan"] if plan else [])]
        with TemporaryFile() as out, TemporaryFile() as err:
            self._process = subprocess.Popen(words, stdout=out, stderr=err)
            while self._process.poll() is None:
                self._watch(since, before)
                time.sleep(_BETWEEN_LOOKS_S)
            out.seek(0)
            err.seek(0)
            result, said = out.read(), err.read().decode(errors="replace").strip()
        self._process = None
        if not result:
            raise InputError(
                said.splitlines()[-1].removeprefix("ecr-widgets: ") if said else "it was refused"
            )
        end: Mapping[str, Any] = json.loads(result)
        if end["state"] == "refused":
            raise InputError(end["reason"])
        self.saved = place_of(end["notebook"])
        self.steps = self._steps_in(self.saved)
        return end

    def _watch(self, since: str, before: set[str]) -> None:
        """Read the run's progress from its notebook."""
        new = {*self._runs_since(since)} - before
        if len(new) == 1:  # with other new runs of the same runbook, it is not known which is this one
            self.saved = self._runs / new.pop()
            steps = self._steps_in(self.saved)
            if steps != self.steps:
                self.steps = steps
                self._redraw()

    def _runs_since(self, moment: str) -> Iterator[str]:
        """Names of runs of this runbook that began then or later."""
        names = self._store.names(after=moment)
        return (name for name in names if f"-{self._book.name}" in name and name.endswith(".ipynb"))

    def _steps_in(self, saved: Place) -> tuple[str, ...]:
        stored = self._store.read(saved.name)
        return tuple(map(_step_line, read_records(stored.content))) if stored is not None else ()

    def cancel(self) -> None:
        """Interrupt the current run, as Ctrl-C does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)

    def to_html(self) -> str:
        """The static picture: the last run's progress, where it is saved, and every parameter with its value."""
        rows = "".join(
            f'<tr style="background:none"><td style="text-align:left">{escape(each.name)}</td>'
            f'<td style="text-align:left"><code>{escape(visible(self._shown(each)))}</code></td>'
            f'<td style="text-align:left">{escape(each.type)}</td>'
            f'<td style="text-align:left">{escape(each.comment)}</td></tr>'
            for each in self._book.parameters
        )
        steps = "".join(f"<div>{escape(visible(each))}</div>" for each in self.steps)
        status = f"<div><b>{escape(visible(self.status))}</b></div>" if self.status else ""
        link = _link_to(self.saved) if self.saved is not None else ""
        values = (
            f"<details><summary>{escape(visible(self._typed()))}</summary><table>{rows}</table></details>"
        )
        return f"<div><b>{escape(self._book.title)}</b>{steps}{status}{link}{values}</div>"

    def _typed(self) -> str:
        """The values that differ from the runbook's, in one line."""
        others = [each for each in self._book.parameters if self.texts[each.name] != text_of(each.default)]
        left = len(self.texts) - len(others)
        named = "".join(f"{each.name} = {self._shown(each)}; " for each in others)
        return f"{named}{left} values as the runbook has them"

    def _shown(self, parameter: Parameter) -> str:
        return (
            f"refused: {why}"
            if (why := self.problem(parameter.name))
            else self.texts[parameter.name] or parameter.computed
        )

    def _bundle(self) -> dict[str, str]:
        lines = (f"{each.name} = {self._shown(each)}" for each in self._book.parameters)
        return {
            "text/html": self.to_html(),
            "text/plain": visible("\n".join((self._book.title, *lines, *self.steps, self.status))),
        }

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if is_live():
            from ecr_widgets.panels.form_widgets import shown

            display(shown(self.controls()), raw=True)
        display(self._bundle(), raw=True, display_id=self._display_id)

    def _redraw(self) -> None:
        from IPython.display import update_display

        update_display(self._bundle(), raw=True, display_id=self._display_id)

    def controls(self) -> Any:
        """A line for each parameter, grouped by topic, and buttons that work only while all values are valid."""
        from ecr_widgets.panels import form_widgets as widgets

        lines = {each.name: self._line(each, lambda: self._typed_in(bar)) for each in self._book.parameters}
        why = widgets.Line(widgets.text("reason", width=_WIDTH), "why; becomes the operation note")

        def take_reason(text: str) -> None:
            self.reason = text
            why.say(self.problem_of_reason())
            self._typed_in(bar)

        why.on_typed(take_reason)
        bar = widgets.Bar(
            lambda: self._start(bar, plan=True), lambda: self._start(bar, plan=False), self.cancel
        )
        groups = [(title, [lines[name] for name in self.texts if about(name) == title]) for title in _GROUPS]
        self._typed_in(bar)
        Thread(target=lambda: self._offer(lines), daemon=True).start()
        return widgets.grouped(self._book.title, [*groups, ("Why", [why])], bar)

    def _line(self, parameter: Parameter, typed: Callable[[], object]) -> Any:
        from ecr_widgets.panels import form_widgets as widgets

        name, value = parameter.name, self.texts[parameter.name]
        if parameter.allowed:
            field = widgets.choice(name, [text_of(each) for each in parameter.allowed], width=_WIDTH)
            field.value = value
        elif parameter.type == "bool" and not parameter.computed:
            field = widgets.tick(name, value=bool(parameter.default), width=_WIDTH)
        else:
            field = widgets.text(name, value=value, width=_WIDTH)
        line = widgets.Line(field, parameter.comment)

        def take(new: object) -> None:
            self.texts[name] = text_of(new)
            line.say(self.problem(name))
            typed()

        line.say(self.problem(name))
        line.on_typed(take)
        return line

    def _offer(self, lines: Mapping[str, Any]) -> None:
        """Offer existing values as choices, and again when a value changes that others depend on."""
        for name, line in lines.items():
            line.offer(self._choices.of(name, self.texts))
        for name in ("repository", "environment"):
            if name in lines:
                lines[name].on_typed(lambda _: self._offer_again(lines))

    def _offer_again(self, lines: Mapping[str, Any]) -> None:
        def work() -> None:
            for name in ("tag", "reference", "service"):
                if name in lines:
                    lines[name].offer(self._choices.of(name, self.texts))

        Thread(target=work, daemon=True).start()

    def _typed_in(self, bar: Any) -> None:
        where = "/".join(filter(None, (self.texts.get("environment"), self.texts.get("service"))))
        bar.allow(self.is_good, f"Run {self._book.name}" + (f" → {where}" if where else ""), self.command)
        self._redraw()

    def _start(self, bar: Any, *, plan: bool) -> None:
        bar.begin("planning …" if plan else "running …")

        def work() -> None:
            self.status = "planning…" if plan else "running…"
            self._redraw()
            try:
                self.status = _end_of(self.run(plan=plan), plan=plan)
            except InputError as error:
                self.status = f"refused: {error}"
            bar.end(self.status)
            self._typed_in(bar)

        Thread(target=work, daemon=True).start()


def about(name: str) -> str:
    """A parameter's group: What, Where or How."""
    return "Where" if name in _WHERE else "What" if name in _WHAT else "How"


def _link_to(saved: Place) -> str:
    """A link to a saved run; plain text for a run in a bucket, which no front end can open."""
    if not isinstance(saved, Path):
        return f"<div>saved: <code>{escape(str(saved))}</code></div>"
    path = os.path.relpath(saved)
    return f'<div><a href="{escape(quote(path))}">Open run</a> {escape(path)}</div>'


def _step_line(record: StepRecord) -> str:
    """A step in one line: how it ended and how long it took, or that it is still running."""
    took = (
        "" if record.ended_at is None else f" {(record.ended_at - record.started_at).total_seconds():.1f} s"
    )
    sign = _SIGNS[record.state] if record.ended_at is not None else "▶"
    return f"{sign} {record.step}{took}"


def _end_of(result: Mapping[str, Any], *, plan: bool) -> str:
    """How a run ended, from its `run --json` document; the link to its notebook is shown separately."""
    reason = f" ({result['reason']})" if result["reason"] else ""
    sign = "✓" if result["state"] == "succeeded" else "✗"
    end = f"{sign} {'plan ' if plan else ''}{result['state']}{reason}"
    if not plan:
        return end
    due = ", ".join(each["step"] for each in result["steps"] if each["changed"])
    return f"{end}; would change: {due or 'nothing'}"


def text_of(value: object) -> str:
    """A value as a person types it."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
