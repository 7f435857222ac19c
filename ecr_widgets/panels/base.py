"""What all panels share: show a picture, keep it up to date, act through the kit without blocking the kernel."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from secrets import token_hex
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from IPython.display import display, update_display

from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.panels.picture import Picture

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit

_PLACES = 6
"""Records of actions that find a place of their own below a panel; later ones take the last."""


class Panel(ABC):
    """A picture below the cell, and in a live session a row of controls and the records of what was done with them.

    A saved notebook keeps picture and records. Controls are shown only where somebody can answer a prompt: not under
    papermill or another engine, where they would be dead.
    """

    def __init__(self, kit: Kit) -> None:
        self._places = [f"ecrw-action-{token_hex(6)}" for _ in range(_PLACES)]
        self._kit = kit.acting_in(self._places)
        self._display_id = f"ecrw-panel-{token_hex(6)}"
        self._busy = Lock()
        self._controls: Any = None
        self._picture: Picture | None = None

    @abstractmethod
    def look(self) -> Picture:
        """Read what is outside, and draw it."""

    @abstractmethod
    def controls(self) -> Any:
        """A widget for those who work with the panel."""

    def _ipython_display_(self) -> None:
        display(self._see().bundle(), raw=True, display_id=self._display_id)
        if is_live():
            self._controls = self.controls()
            display(self._controls)
            for place in self._places:
                display({"text/plain": "", "text/html": ""}, raw=True, display_id=place)

    def _see(self) -> Picture:
        try:
            self._picture = self.look().capped()
        except EcrWidgetsError as error:
            self._picture = self._with_problem(str(error))
        return self._picture

    def _with_problem(self, problem: str) -> Picture:
        standing = self._picture or Picture(type(self).__name__, type(self).__name__, self._kit.now(), (), ())
        return replace(standing, problem=problem)

    def show(self) -> None:
        """Look again and bring the picture up to date."""
        self._update(self._see())

    def _update(self, picture: Picture) -> None:
        update_display(picture.bundle(), raw=True, display_id=self._display_id)

    def act(self, what: str, step: Callable[[], object]) -> None:
        """Take a step in the background, say that it is under way, then show how things stand.

        One step at a time: a click while another is under way is told so.
        """
        if not self._busy.acquire(blocking=False):
            return
        self._set_busy(f"{what} …")

        def work() -> None:
            problem = ""
            try:
                step()
            except EcrWidgetsError as error:
                problem = str(error)
            try:
                picture = self._see()
                self._update(replace(picture, problem=problem) if problem else picture)
            finally:
                self._set_busy("")
                self._busy.release()

        Thread(target=work, name=f"ecr-widgets panel: {what}", daemon=True).start()

    @abstractmethod
    def _set_busy(self, text: str) -> None:
        """Show beside the controls what is under way; empty when nothing is any more."""


def is_live() -> bool:
    """Whether a person sits at the other end: front ends allow prompts, engines do not."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return bool(getattr(getattr(get_ipython(), "kernel", None), "_allow_stdin", False))
