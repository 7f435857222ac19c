"""What the panels of a kit share: a picture that is kept up to date, and actions that never block the kernel."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from secrets import token_hex
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from IPython.display import display

from ecr_widgets.errors import EcrWidgetsError, InputError
from ecr_widgets.model.bucket_path import place_of
from ecr_widgets.model.script import Script
from ecr_widgets.panels.link import Message
from ecr_widgets.panels.live import Live
from ecr_widgets.panels.offers import REASON, REASON_FIELD, Action, Values
from ecr_widgets.panels.picture import PLANNED, Part, Picture
from ecr_widgets.panels.plans import LastAction, Plan
from ecr_widgets.panels.turns import Turns, Work
from ecr_widgets.recording.notebook import Places, no_room

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.panels.action_runs import ActionRun
    from ecr_widgets.panels.notebook_kit import NotebookKit

LAST_ACTION = "Last action"
_PLACES = 30
"""How many records of steps there is room for below a panel."""
_LONGEST_ACTION = 6
"""The most records that one action leaves, with one to spare: find, store, deploy, wait, roll back. An action is only begun if
there is room for so many, so that it cannot end half-way."""
_BETWEEN_PICTURES_S = 0.4
"""Between redraws while pages are read."""
_BETWEEN_LOOKS_S = 1.5
"""Between reads while an action is watched."""
_LONGEST_WATCH_S = 1800.0
"""After this, a forgotten panel stops watching."""
_WATCH_ENDED = f"watching ended after {_LONGEST_WATCH_S / 60:.0f} min; tick watch to continue"


class Panel(Live):
    """A picture below the cell; in a live session also controls, and the records of what was done.

    A saved notebook keeps the picture and the records. No controls are offered if nobody can answer a prompt: under papermill
    or another engine.
    """

    follows = False
    """Whether to keep refreshing while an action is running."""

    def __init__(self, kit: NotebookKit) -> None:
        super().__init__()
        self._place_ids = [f"ecrw-action-{token_hex(6)}" for _ in range(_PLACES)]
        self._places = Places(self._place_ids, self._observe)
        self._kit = kit
        self._look = kit.look
        self._reading, self._following = Lock(), Lock()
        self._turns = Turns()
        self._unread = ""
        self._plan: Plan | None = None
        self._plan_id = self._asked_by = ""
        self._reason = ""
        """The reason for the action, as it was typed."""
        self._last: LastAction | None = None
        self._bars: tuple[Mapping[str, Any], ...] = ()
        self._acted: Mapping[str, str] | None = None
        self._watched, self._watched_until_s = Event(), 0.0
        self._read_at = kit.now()

    @property
    def drawn_at(self) -> datetime:
        """When something was last read."""
        return self._read_at

    @abstractmethod
    def read(self) -> Iterator[None]:
        """Read the current state, piece by piece; after each piece there is something new to draw.

        In a run only the first piece is read. What was read before is replaced as a whole, never changed, so that it can
        be drawn meanwhile.
        """

    def read_after(self) -> Iterator[None]:
        """Read again after an action: everything, unless a panel knows what the action cannot have changed."""
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
        """Read again, in the background."""
        self._in_background(lambda: self._take_all(self.read()))

    def read_on(self, pieces: Iterator[None]) -> None:
        """Read more in the background, in a live session."""
        if self._is_open:
            self._in_background(lambda: self._take_all(pieces))

    def bundle(self, picture: Picture) -> dict[str, str]:
        """The forms that the notebook keeps, including what is planned and what went wrong."""
        plan = self._plan
        planned = (
            (Part(f"{PLANNED}{plan.what}", (), tuple((line,) for line in plan.lines)),)
            if plan is not None
            else ()
        )
        last = (Part(LAST_ACTION, (), ((str(self._last),),)),) if self._last is not None else ()
        parts = (*planned, *last, *picture.parts)
        return super().bundle(
            replace(picture, status=self._turns.status, problem=self._problems, parts=parts)
        )

    @property
    def _problems(self) -> str:
        return "\n".join(each for each in (self.problem, self._unread) if each)

    def state(self) -> Mapping[str, Any]:
        """What is running, went wrong or is planned."""
        plan = self._plan
        return {
            "status": self._turns.status,
            "problem": self._problems,
            "bars": self._bars if self._turns.status else (),
            "plan": {"what": plan.what, "lines": plan.lines, "confirm": self._confirming(plan).to_json()}
            if plan is not None
            else None,
            "run": self._last.to_json() if self._last is not None else None,
            "watch": self.is_watched if self.follows else None,
        }

    def do_more(self, message: Message) -> None:
        """Refresh, discard a plan, cancel, watch."""
        what = message.get("do")
        if what == "refresh":
            self.refresh()
        elif what == "discard":
            self._leave()
        elif what == "cancel":
            self._cancel()
        elif what == "watch":
            self.watch(on=message.get("on") is True)

    def acted(self, action: str, row: str, values: Values) -> None:
        """Remember which fields to close once the action has succeeded, and the reason for it."""
        if action != self._plan_id:
            self._acted = {"action": action, "row": row}
        self._reason = values.get(REASON, "")

    def act(self, what: str, script: Script, *, then: Callable[[], object] = lambda: None) -> None:
        """Run a script in the background as a run of its own, show that it is running, then the result.

        One at a time: it is refused with a message while another is running, and also if there may not be enough room for
        its records. If another person must approve it, its plan is made and nothing is changed.

        Args:
            then: Called once it has succeeded.
        """
        self._carry(Plan(what, (), script), then)

    def _carry(self, plan: Plan, then: Callable[[], object] = lambda: None) -> None:
        work = self._begun(plan.what, only_looks=False)
        if work is not None:
            self._in_background(lambda: self._carry_out(work, plan, then))

    def work_out(self, what: str, look: Callable[[Kit], Plan]) -> None:
        """Look something up in the background, then offer the plan made from it.

        A plan without lines needs no confirmation: it is carried out immediately.

        Args:
            what: Shown meanwhile.

            look: Makes the plan, and changes nothing. Its result is dropped if it was cancelled.
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
            self._last = None
            self._places.go_on()
        self.redraw()
        return work

    def _carry_out(self, work: Work, plan: Plan, then: Callable[[], object]) -> None:
        if self.follows:
            self._in_background(self._follow)
        try:
            plan.check(self._kit)
            asked_by = self._kit.actions.asked_by(plan.script)
            if asked_by is None:
                self._run(plan)
                self.said = f"{work.what}: done"
            else:
                self.said = self._ask(asked_by, plan)
        except Exception as error:  # noqa: BLE001 -- a panel keeps working, whatever happened
            self.problem = described(error)
        else:
            if asked_by is None:
                then()
            if self._acted is not None:
                self._link.send({"closed": self._acted})
        finally:
            self._turns.end(work)
        self._take_all(self.read_after())

    def _run(self, plan: Plan) -> None:
        """Run the cells of a script; if one raises an error, the run has ended before this raises it."""
        script, run = plan.script, None
        try:
            with self._kit.actions.begin(script, self._reason) as run:
                self._places.line = run
                self._last = LastAction(plan.what, "…", run.run_id, run.path)
                names = {"kit": self._kit.acting_in(self._places, run.run_id), **script.values}
                for number, source in enumerate(script.cells):
                    with run.cell(number):
                        # This is our own code: values are bound to its names, never written into it.
                        exec(compile(source, f"<{script.name}>", "exec"), names)  # noqa: S102
        except Exception:
            self._ended(plan, run, "✗")
            raise
        finally:
            self._places.line = None
        self._ended(plan, run, "✓")

    def _ended(self, plan: Plan, run: ActionRun | None, sign: str) -> None:
        if run is not None:
            self._last = LastAction(plan.what, sign, run.run_id, run.path, run.unsealed)

    def _ask(self, asked_by: str, plan: Plan) -> str:
        """Make the plan for another person to approve, and say so."""
        if not self._reason:
            raise InputError(f"{asked_by} requires an approval, and so a reason", hint="type why")
        made = self._kit.actions.plan(plan.script, self._reason)
        self._last = LastAction(f"plan: {plan.what}", "…", made["run_id"], place_of(made["notebook"]))
        return (
            f"nothing was changed: {asked_by} requires an approval; another person approves and runs the plan with"
            f" `ecr-widgets approve {made['run_id']}`"
        )

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
            self._carry(plan)

    def offer(self, plan: Plan) -> None:
        """Show a plan and offer to confirm it; nothing is changed before a person confirms."""
        self.problem = self.said = ""
        try:
            self._asked_by = self._kit.actions.asked_by(plan.script) or ""
        except EcrWidgetsError as error:
            self.refuse(error)
            return
        self._plan, self._plan_id = plan, token_hex(8)
        self.redraw()

    def refuse(self, error: Exception) -> None:
        """Say why something cannot be done; the panel keeps working."""
        self.problem, self.said, self._plan, self._last = described(error), "", None, None
        self.redraw()

    @property
    def is_watched(self) -> bool:
        """Whether the panel refreshes by itself."""
        return self._watched.is_set()

    def watch(self, *, on: bool) -> None:
        """Start or stop refreshing by itself."""
        if on and not self._watched.is_set():
            self._watched_until_s = time.monotonic() + _LONGEST_WATCH_S
            self._watched.set()
            self._in_background(self._follow)
        elif not on:
            self._watched.clear()
        self.tell()

    def offered(self, row: str) -> Sequence[Action]:
        """What can be done, including to confirm the plan if there is one."""
        plan = self._plan
        return (*super().offered(row), *((self._confirming(plan),) if plan is not None else ()))

    def _confirming(self, plan: Plan) -> Action:
        """The action that confirms the plan shown, and no later one, since each has its own name."""
        asked_by = self._asked_by
        reason = replace(
            REASON_FIELD,
            value=self._reason,
            required=bool(asked_by),
            hint=f"{asked_by} requires an approval: another person has to approve this"
            if asked_by
            else REASON_FIELD.hint,
        )
        verb = "Ask for approval" if asked_by else "Confirm"
        return Action(
            self._plan_id,
            verb,
            "",
            lambda _: self._carry(plan),
            (reason,),
            go=f"{verb}: {plan.what}",
        )

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
        """Show the progress of the running step; called whenever its record is redrawn."""
        self._bars = bars
        self._link.send({"bars": bars})

    def _take_piece(self, pieces: Iterator[None]) -> bool:
        """Read one more piece; False if there was none, or it cannot be read."""
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
                # Thousands of rows take a while to draw: spend most of the time reading.
                if began_at_s - drawn_at_s >= max(_BETWEEN_PICTURES_S, 5 * took_s):
                    self.redraw()
                    drawn_at_s = time.monotonic()
                    took_s = drawn_at_s - began_at_s
            self.redraw()

    def _follow(self) -> None:
        # Checked again after the lock is released: a thread that finds it held leaves the work to this one.
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
    """An error as a panel shows it: ours as it is, any other with its type."""
    if isinstance(error, EcrWidgetsError):
        return str(error)
    return f"{type(error).__name__}: {error}; this is a bug in the panel, which keeps working"
