"""The connection between a live panel and its front end. There are two ways, and the kernel finds out which one is there.

JupyterLab and Notebook 7 with our extension draw the panel's own output: the extension joins the comm that the panel keeps
open in the kernel, and says so. If it has not done so after the kernel was idle for a while, a widget is shown that brings
the same drawing code: for VS Code, Colab, and servers without this package.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex
from threading import Lock, Timer
from typing import Any

from IPython.display import display, update_display

TARGET = "ecr-widgets"
"""Target name of the comms, one for each panel; the panel's JSON has the comm's id."""
_DRAWING = Path(__file__).with_name("front_end") / "panel.js"
_WIDGET_DOOR = Path(__file__).with_name("widget_door.js")
_QUIET_S = 3.0
"""How long the kernel must be idle before a silent front end counts as one without the extension."""
_NOTHING = {"text/plain": "", "text/html": ""}

Message = Mapping[str, Any]
Take = Callable[[Message], object]
Send = Callable[[Message], object]


class Link:
    """One panel's connection to the front ends that show it.

    Args:
        take: Called with each message from a front end, which may contain anything.
    """

    def __init__(self, take: Take) -> None:
        self.id = f"ecrw-{token_hex(8)}"
        self._take = take
        self._by_comm: Send | None = None
        self._by_widget: Send | None = None
        self._place_id = f"ecrw-door-{token_hex(6)}"
        self._is_joined = False

    def open(self) -> None:
        """Start listening; called in the cell that shows the panel, after its picture."""
        if self._by_comm is None:  # a panel may be shown by two cells
            self._by_comm = listen(self.id, self._heard)
        display(_NOTHING, raw=True, display_id=self._place_id)
        DOORS.wait(self)

    def send(self, message: Message) -> None:
        """Send to every front end that shows the panel; there may be none."""
        if self._is_joined and self._by_comm is not None:
            self._by_comm(message)
        if self._by_widget is not None:
            self._by_widget(message)

    @property
    def has_front_end(self) -> bool:
        """Whether any front end would get what is sent."""
        return self._is_joined or self._by_widget is not None

    def show_widget(self) -> None:
        """Show the widget, unless the extension has joined."""
        if not self._is_joined and self._by_widget is None:
            self._by_widget, shown = made_widget(self._take)
            update_display(shown, raw=True, display_id=self._place_id)

    def _heard(self, message: Message) -> None:
        if not self._is_joined:
            self._is_joined = True
            DOORS.found_extension()
            if self._by_widget is not None:
                self._by_widget = None
                update_display(_NOTHING, raw=True, display_id=self._place_id)
        self._take(message)


class Doors:
    """What this kernel knows about its front end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._has_extension = self._is_watching = False
        self._waiting: list[Link] = []
        self._timer: Timer | None = None

    def wait(self, link: Link) -> None:
        """Show the link's widget once it is clear that nothing else shows the panel."""
        with self._lock:
            if self._has_extension:
                return
            self._waiting.append(link)
            if not self._is_watching:
                self._is_watching = True
                watch_cells(self._begun, self._ended)

    def found_extension(self) -> None:
        """Note that there is an extension, so that no link shows a widget."""
        with self._lock:
            self._has_extension = True
            self._waiting.clear()

    def _begun(self, *_: object) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _ended(self, *_: object) -> None:
        # Messages from the front end wait behind queued cells: silence only counts while no cell runs.
        with self._lock:
            if self._waiting:
                self._timer = Timer(_QUIET_S, self._give_up)
                self._timer.daemon = True
                self._timer.start()

    def _give_up(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for link in waiting:
            link.show_widget()


DOORS = Doors()


def is_live() -> bool:
    """Whether a person is at the other end: front ends allow prompts, engines do not."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return bool(getattr(getattr(get_ipython(), "kernel", None), "_allow_stdin", False))


def listen(panel_id: str, take: Take) -> Send:
    """Keep a comm with that id open in this kernel, unannounced: a front end that shows the panel asks for it."""
    import comm

    made: Any = comm.create_comm(target_name=TARGET, comm_id=panel_id, primary=False)
    comm.get_comm_manager().register_comm(made)
    made.on_msg(lambda message: take(message["content"]["data"]))
    send: Send = made.send
    return send


def watch_cells(begun: Callable[..., object], ended: Callable[..., object]) -> None:
    """Call these before and after each cell of this kernel."""
    from IPython import get_ipython

    events = get_ipython().events
    events.register("pre_run_cell", begun)
    events.register("post_run_cell", ended)


def widget_module() -> str:
    """The drawing code and its widget wrapper as one module, since a widget's module cannot load another."""
    return _DRAWING.read_text() + _WIDGET_DOOR.read_text()


def made_widget(take: Take) -> tuple[Send, Mapping[str, Any]]:
    """A widget that draws the panel: a function that sends to it, and its output.

    It only holds the drawing module, which a front end may save; what people type comes as messages.
    """
    import anywidget

    from ecr_widgets.panels.form_widgets import shown

    class Door(anywidget.AnyWidget):
        _esm = widget_module()

    made: Any = Door()
    made.on_msg(lambda _, content, __: take(content))
    send: Send = made.send
    return send, shown(made)
