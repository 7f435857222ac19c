"""What the panels of a kit share: a picture that is kept up to date, and actions that never block the kernel."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_hex
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from IPython.display import display

from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.panels.link import Message
from ecr_widgets.panels.live import Live
from ecr_widgets.panels.picture import Part, Picture
from ecr_widgets.panels.turns import Turns, Work
from ecr_widgets.recording.notebook import Places, no_room

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit

_PLACES = 30
"""Records of steps that find a place below a panel."""
_LONGEST_ACTION = 6
"""Records that one action leaves at the most, with one to spare: find, store, move, wait, roll back. None is begun that
could end half-way for want of a place."""
_BETWEEN_PICTURES_S = 0.4
"""While pages come in."""
_BETWEEN_LOOKS_S = 1.5
"""While an action is watched."""
_LONGEST_WATCH_S = 1800.0
"""A forgotten panel stops asking."""
_WATCH_ENDED = f"watching ended after {_LONGEST_WATCH_S / 60:.0f} min; tick watch to continue"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a confirmation would do."""

    what: str
    """Names action and target, such as `deploy timeout.3 to demo/timeoutsvc`."""
    lines: tuple[str, ...]
    step: Callable[[Kit], object]


class Panel(Live):
    """A picture below the cell; in a live session also what to do with it, and the records of what was done.

    A saved notebook keeps picture and records. Nothing is offered where nobody can answer a prompt: under papermill or
    another engine.
    """

    follows = False
    """Whether to look again and again while an action is under way."""

    def __init__(self, kit: Kit) -> None:
        super().__init__()
        self._place_ids = [f"ecrw-action-{token_hex(6)}" for _ in range(_PLACES)]
        self._places = Places(self._place_ids, self._observe)
        self._kit = kit
        self._look = kit.look
        self._reading, self._following = Lock(), Lock()
        self._turns = Turns()
        self._unread = ""
        self._plan: Plan | None = None
        self._plan_id = ""
        self._bars: tuple[Mapping[str, Any], ...] = ()
        self._acted: Mapping[str, str] | None = None
        self._watched, self._watched_until_s = Event(), 0.0
        self._read_at = kit.now()

    @property
    def drawn_at(self) -> datetime:
        """When all was read last."""
        return self._read_at

    @abstractmethod
    def read(self) -> Iterator[None]:
        """Look at what is outside, piece by piece; after each piece there is something new to draw.

        In a run only the first piece is read. What was read is put in place whole, never changed, so that it can be
        drawn meanwhile.
        """

    def read_after(self) -> Iterator[None]:
        """Look again after an action: all of it, where nothing says what else it cannot have changed."""
        return self.read()

    def _ipython_display_(self) -> None:
        pieces = self.read()
        self._take_piece(pieces)
        super()._ipython_display_()
        if self._is_open:
            for place in self._place_ids:
                display({"text/plain": "", "text/html": ""}, raw=True, display_id=place)
            self._in_background(lambda: self._take_all(pieces))

    def refresh(self) -> None:
        """Look again, without keeping anybody waiting."""
        self._in_background(lambda: self._take_all(self.read()))

    def read_on(self, pieces: Iterator[None]) -> None:
        """Read something more in the background, in a live session."""
        if self._is_open:
            self._in_background(lambda: self._take_all(pieces))

    def bundle(self, picture: Picture) -> dict[str, str]:
        """The forms that the notebook keeps, what is planned and what went wrong among them."""
        plan = self._plan
        planned = (
            (Part(f"Planned: {plan.what}", (), tuple((line,) for line in plan.lines)),)
            if plan is not None
            else ()
        )
        return super().bundle(
            replace(
                picture, status=self._turns.status, problem=self._problems, parts=(*planned, *picture.parts)
            )
        )

    @property
    def _problems(self) -> str:
        return "\n".join(each for each in (self.problem, self._unread) if each)

    def state(self) -> Mapping[str, Any]:
        """What is under way, went wrong or is planned."""
        plan = self._plan
        return {
            "status": self._turns.status,
            "problem": self._problems,
            "bars": self._bars if self._turns.status else (),
            "plan": {"id": self._plan_id, "what": plan.what, "lines": plan.lines}
            if plan is not None
            else None,
            "watch": self.is_watched if self.follows else None,
        }

    def do_more(self, message: Message) -> None:
        """Refresh, confirm or discard a plan, cancel, watch."""
        what = message.get("do")
        if what == "refresh":
            self.refresh()
        elif what == "confirm":
            # Of the plan that was shown, and of no later one.
            if message.get("plan") == self._plan_id:
                self._confirm()
        elif what == "discard":
            self._leave()
        elif what == "cancel":
            self._cancel()
        elif what == "watch":
            self.watch(on=message.get("on") is True)

    def acted(self, action: str, row: str) -> None:
        """Remember whose fields can go once it has ended well."""
        self._acted = {"action": action, "row": row}

    def act(self, what: str, step: Callable[[Kit], object]) -> None:
        """Run a step in the background, show that it is running, then the result.

        One at a time: while another is under way, only that is said. The same where so few places for records are left
        that it might end half-way.

        Args:
            step: Gets the kit whose records show below the panel.
        """
        work = self._begun(what, only_looks=False)
        if work is not None:
            self._in_background(lambda: self._carry_out(work, step))

    def work_out(self, what: str, look: Callable[[Kit], Plan]) -> None:
        """Look at something in the background, then offer what was planned upon it.

        A plan without lines needs no confirmation: it is carried out immediately.

        Args:
            what: Shown meanwhile.

            look: Changes nothing outside. After a request to stop, its result is dropped.
        """
        work = self._begun(what, only_looks=True)
        if work is not None:
            self._in_background(lambda: self._look_and_plan(work, look))

    def _begun(self, what: str, *, only_looks: bool) -> Work | None:
        if not self._places.has_room(_LONGEST_ACTION):
            self.refuse(no_room())
            return None
        work = self._turns.begin(what, only_looks=only_looks)
        if work is None:
            self.problem = f"not started: {what}; wait until {self._turns.status} ends, or cancel it"
        else:
            self.problem, self.said, self._plan, self._bars = "", "", None, ()
            self._places.go_on()
        self.redraw()
        return work

    def _carry_out(self, work: Work, step: Callable[[Kit], object]) -> None:
        if self.follows:
            self._in_background(self._follow)
        try:
            step(self._kit.acting_in(self._places))
        except Exception as error:  # noqa: BLE001 -- a panel keeps working, whatever happened
            self.problem = described(error)
        else:
            self.said = f"{work.what}: done"
            if self._acted is not None:
                self._link.send({"closed": self._acted})
        finally:
            self._turns.end(work)
        self._take_all(self.read_after())

    def _look_and_plan(self, work: Work, look: Callable[[Kit], Plan]) -> None:
        plan, problem = None, ""
        try:
            plan = look(self._kit)
        except Exception as error:  # noqa: BLE001 -- a panel keeps working, whatever happened
            problem = described(error)
        if not self._turns.end(work):
            return  # cancelled meanwhile
        if plan is None:
            self.problem = problem
            self.redraw()
        elif plan.lines:
            self.offer(plan)
        else:
            self.act(plan.what, plan.step)

    def offer(self, plan: Plan) -> None:
        """Show what would be done and offer it: nothing is changed before a person confirms."""
        self.problem = self.said = ""
        self._plan, self._plan_id = plan, token_hex(8)
        self.redraw()

    def refuse(self, error: Exception) -> None:
        """Say why something cannot be done; the panel keeps working."""
        self.problem, self.said, self._plan = described(error), "", None
        self.redraw()

    @property
    def is_watched(self) -> bool:
        """Whether the panel is to refresh by itself."""
        return self._watched.is_set()

    def watch(self, *, on: bool) -> None:
        """Look again and again, or no longer."""
        if on and not self._watched.is_set():
            self._watched_until_s = time.monotonic() + _LONGEST_WATCH_S
            self._watched.set()
            self._in_background(self._follow)
        elif not on:
            self._watched.clear()
        self.tell()

    def _confirm(self) -> None:
        plan = self._plan
        if plan is not None:
            self.act(plan.what, plan.step)

    def _leave(self) -> None:
        self._plan = None
        self.redraw()

    def _cancel(self) -> None:
        work = self._turns.cancel()
        if work is not None and work.only_looks:
            self.problem = f"cancelled: {work.what}; nothing was changed"
        elif work is not None:
            self._places.cancel()
        self.redraw()

    def _observe(self, bars: tuple[Mapping[str, Any], ...]) -> None:
        """Show how far the step under way is; called as often as its record is redrawn."""
        self._bars = bars
        self._link.send({"bars": bars})

    def _take_piece(self, pieces: Iterator[None]) -> bool:
        """Read one piece more; False where there was none, or it cannot be read."""
        try:
            next(pieces)
        except StopIteration:
            return False
        except Exception as error:  # noqa: BLE001 -- shown in the panel, which keeps working
            self._unread = described(error)
            return False
        self._read_at, self._unread = self._kit.now(), ""
        return True

    def _take_all(self, pieces: Iterator[None]) -> None:
        with self._reading:
            drawn_at_s = took_s = 0.0
            while self._take_piece(pieces):
                began_at_s = time.monotonic()
                # Thousands of rows take a while to draw: most of the time is for reading.
                if began_at_s - drawn_at_s >= max(_BETWEEN_PICTURES_S, 5 * took_s):
                    self.redraw()
                    drawn_at_s = time.monotonic()
                    took_s = drawn_at_s - began_at_s
            self.redraw()

    def _follow(self) -> None:
        # Asked again once let go: whoever wants it meanwhile finds the lock held and relies on this.
        while self._is_followed() and self._following.acquire(blocking=False):
            try:
                while self._is_followed():
                    time.sleep(_BETWEEN_LOOKS_S)
                    if self.is_watched and time.monotonic() >= self._watched_until_s:
                        self._watched.clear()
                        self.problem = _WATCH_ENDED
                    self._take_all(self.read())
            finally:
                self._following.release()

    def _is_followed(self) -> bool:
        return bool(self._turns.status) or self.is_watched

    @staticmethod
    def _in_background(work: Callable[[], object]) -> None:
        Thread(target=work, name="ecr-widgets panel", daemon=True).start()


def described(error: Exception) -> str:
    """An error in a panel: ours as it is, any other with its kind."""
    if isinstance(error, EcrWidgetsError):
        return str(error)
    return f"{type(error).__name__}: {error}; this is a bug in the panel, which keeps working"
