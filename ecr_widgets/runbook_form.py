"""A runbook's parameters as a form in JupyterLab, made from the same cell as the command line's help.

Each value is checked while it is typed, by the rules of `ecr-widgets run`; what is pressed runs that command, so a run by
form is one like any other: its own kernel, its saved notebook, its record. Without a kernel a picture of it stays.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.parameters import Parameter
from ecr_widgets.model.text import visible
from ecr_widgets.panels.link import is_live
from ecr_widgets.runbooks import Runbook, find_runbook
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

# Without the current folder on its path: a file in it may be named like a module.
_COMMAND = (sys.executable, "-P", "-c", "from ecr_widgets.cli import main; main()", "run")


def open_form(name_or_path: str | Path, *, runs: str | Path = "runs") -> RunbookForm:
    """The form of a shipped runbook by its name, or of any by its path; as a cell's last line it is shown.

    Args:
        runs: Folder in which its runs are saved.

    Raises:
        InputError: No such runbook.
    """
    return RunbookForm(find_runbook(name_or_path), Path(runs))


class RunbookForm:
    """Parameters as they are typed, what is wrong with them, and how the last run by this form ended."""

    def __init__(self, book: Runbook, runs: Path) -> None:
        self._book, self._runs = book, runs
        self._known = SecretRegistry()
        self._known.register_environment(os.environ)
        self._display_id = f"ecrw-form-{token_hex(6)}"
        self.texts = {each.name: text_of(each.default) for each in book.parameters}
        """Values as a person types them, by name."""
        self.told = ""
        """How the last run ended."""

    def problem(self, name: str) -> str:
        """What is wrong with a value, or nothing; a secret is refused and not shown."""
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

    @property
    def is_good(self) -> bool:
        """Whether every value can be used."""
        return not any(map(self.problem, self.texts))

    def run(self, *, plan: bool = False) -> Mapping[str, Any]:
        """Run the runbook with what is typed, wait for its end, and give back the document of `run --json`.

        Args:
            plan: Whether to look only.

        Raises:
            InputError: It was refused; nothing was started.
        """
        given = [
            word
            for each in self._book.parameters
            if self.texts[each.name] != text_of(each.default)
            for word in ("-p", each.name, self.texts[each.name])
        ]
        looking = ["--plan"] if plan else []
        words = [str(self._book.path), "--json", "--runs", str(self._runs), *looking, *given]
        done = subprocess.run([*_COMMAND, *words], capture_output=True, text=True, check=False)
        if not done.stdout:
            lines = done.stderr.strip().splitlines()
            raise InputError(lines[-1].removeprefix("ecr-widgets: ") if lines else "it was refused")
        told: Mapping[str, Any] = json.loads(done.stdout)
        if told["state"] == "refused":
            raise InputError(told["reason"])
        return told

    def to_html(self) -> str:
        """The picture: every parameter with its value, and how the last run ended."""
        rows = "".join(
            f'<tr style="background:none"><td style="text-align:left">{escape(each.name)}</td>'
            f'<td style="text-align:left"><code>{escape(visible(self._shown(each)))}</code></td>'
            f'<td style="text-align:left">{escape(each.type)}</td>'
            f'<td style="text-align:left">{escape(each.comment)}</td></tr>'
            for each in self._book.parameters
        )
        told = f"<div>{escape(visible(self.told))}</div>" if self.told else ""
        return f"<div><b>{escape(self._book.title)}</b><table>{rows}</table>{told}</div>"

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
            "text/plain": visible("\n".join((self._book.title, *lines, self.told))),
        }

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self._bundle(), raw=True, display_id=self._display_id)
        if is_live():
            from ecr_widgets.panels.form_widgets import shown

            display(shown(self.controls()), raw=True)

    def _redraw(self) -> None:
        from IPython.display import update_display

        update_display(self._bundle(), raw=True, display_id=self._display_id)

    def controls(self) -> Any:
        """A field for each parameter with what is wrong below it, and two buttons that run with good values only."""
        from ecr_widgets.panels import form_widgets as controls

        buttons = [
            controls.button("Plan", "Look only: change nothing", lambda: self._start(buttons, plan=True)),
            controls.button("Run", f"Run {self._book.name}", lambda: self._start(buttons, plan=False)),
        ]
        fields = [self._field(each, lambda: self._unlock(buttons)) for each in self._book.parameters]
        self._unlock(buttons)
        return controls.rows(*fields, controls.row(*buttons))

    def _field(self, parameter: Parameter, typed: Callable[[], object]) -> Any:
        import ipywidgets

        from ecr_widgets.panels import form_widgets as controls

        why = ipywidgets.Label()

        def tell() -> None:
            why.value = self.problem(parameter.name)
            # An empty line below each field would make the form twice as long.
            why.layout.display = None if why.value else "none"

        tell()
        if parameter.allowed:
            made = controls.choice(parameter.name, [text_of(each) for each in parameter.allowed])
            made.value = self.texts[parameter.name]
        elif parameter.type == "bool" and not parameter.computed:
            made = controls.tick(parameter.name, value=bool(parameter.default))
        else:
            made = controls.text(parameter.name, parameter.comment, self.texts[parameter.name], wide=True)

        def take(change: Mapping[str, Any]) -> None:
            self.texts[parameter.name] = text_of(change["new"])
            tell()
            typed()

        made.observe(take, "value")
        return controls.rows(made, why)

    def _unlock(self, buttons: list[Any]) -> None:
        for each in buttons:
            each.disabled = not self.is_good
        self._redraw()

    def _start(self, buttons: list[Any], *, plan: bool) -> None:
        for each in buttons:
            each.disabled = True

        def work() -> None:
            self.told = "planning…" if plan else "running…"
            self._redraw()
            try:
                told = self.run(plan=plan)
                self.told = _end_of(told, plan=plan)
            except InputError as error:
                self.told = f"refused: {error}"
            self._unlock(buttons)

        Thread(target=work, daemon=True).start()


def _end_of(told: Mapping[str, Any], *, plan: bool) -> str:
    """How a run ended, from what `run --json` says of it."""
    reason = f" ({told['reason']})" if told["reason"] else ""
    end = f"{told['state']}: {told['notebook']}{reason}"
    if not plan:
        return end
    due = ", ".join(each["step"] for each in told["steps"] if each["changed"])
    return f"plan {end}; would change: {due or 'nothing'}"


def text_of(value: object) -> str:
    """A value as a person types it."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)
