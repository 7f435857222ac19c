"""Runs a notebook's cells one after another and judges each only by what was observed."""

from __future__ import annotations

import contextlib
import queue
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecr_widgets.engine.channel_server import ChannelServer
from ecr_widgets.engine.events import RunEvent, RunEventKind
from ecr_widgets.engine.options import ExecutionOptions
from ecr_widgets.engine.outputs import Outputs
from ecr_widgets.engine.saved_run import CannotSave
from ecr_widgets.engine.stop_signals import Interrupted, Stop, signals_raise
from ecr_widgets.engine.widgets import Widgets
from ecr_widgets.errors import RecordError, RunError
from ecr_widgets.model.record import (
    PROGRESS_KEY,
    RECORD_MIME,
    SHARE_KEY,
    CellState,
    RunState,
    StepRecord,
    StepState,
)
from ecr_widgets.model.text import cut
from ecr_widgets.saved_runs.summary import put_summary
from ecr_widgets.saved_runs.writing import clear_cells, code_cells, end_run, write_cell_state

if TYPE_CHECKING:
    from ecr_widgets.engine.kernel import Kernel
    from ecr_widgets.engine.saved_run import SavedRun

_POLL_S = 0.1
_INTERRUPT_GRACE_S = 3.0
"""How long an interrupted cell has to end, in seconds: in that time a step records that its outcome is unknown."""
_LONGEST_END_S = 60.0
"""The longest time, in seconds, that a cell may request for what it has started to end."""
_LONGEST_SILENCE_S = 4.0
"""How long, in seconds, a cell that has replied may be silent before its message that it is done counts as lost."""
_LONGEST_REASON = 2_000
_NOT_KEPT = "[the state of a widget is not kept: all states together are too large]\n"
_CAPTURED = frozenset(("stream", "display_data", "execute_result", "error", "clear_output"))
"""Messages that an Output widget captures."""
_CUT_SHORT = "[the kernel replied, but never said that this was all: output of this cell may be missing]\n"


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a cell failed."""

    reason: str
    error: str | None = None
    """Name of the error that it raised; None if it did not end with an error of its own."""


class Execution:
    """One pass over a notebook.

    Args:
        saved: The notebook and its file.

        kernel: A kernel that was started but is not yet connected.

        learn_secret: Registers a secret.

        options: Which cells are run, for how long, and when the run continues after an error.

        on_event: Called with each event, for people who watch.
    """

    def __init__(
        self,
        saved: SavedRun,
        kernel: Kernel,
        *,
        learn_secret: Callable[[str], None],
        options: ExecutionOptions,
        on_event: Callable[[RunEvent], None],
    ) -> None:
        self._saved = saved
        self._kernel = kernel
        self._learn_secret = learn_secret
        self._options = options
        self._on_event = on_event
        self._outputs = Outputs()
        self._widgets = Widgets()
        saved.before_write = self._settle
        self._cells = code_cells(saved.notebook)
        self._places = [n for n, cell in enumerate(saved.notebook["cells"], 1) if cell["cell_type"] == "code"]
        self.kernel_died = False
        self._summary_is_due = True
        self._at = 0
        self._is_outcome_unknown = False
        """Whether a step of the running cell has an unknown outcome."""
        self._end_s = 0.0
        """Seconds that the running cell needs to end if the run is interrupted."""
        self._stop = Stop()

    def begin(self) -> None:
        """Save the notebook as one that runs, before anything of it does.

        Raises:
            InputError: It cannot be saved.
        """
        clear_cells(self._saved.notebook)
        self._saved.write()

    def run(self) -> None:
        """Run all cells, once it has begun; the verdict is in the notebook's metadata when this returns or raises.

        Raises:
            Interrupted: A signal ended the run.

            CannotSave: The run could no longer be saved, and was stopped.
        """
        state: RunState = RunState.FAILED
        reason: str | None = "the engine itself failed"
        try:
            with (
                signals_raise() as self._stop,
                ChannelServer(
                    self._kernel.channel_address,
                    announce=self._announce,
                    conclude=self._conclude_record,
                    learn_secret=self._learn,
                    need_to_end=self._let_end,
                ),
            ):
                state, reason = self._run_cells()
        except Interrupted as interrupted:
            state, reason = RunState.INTERRUPTED, f"interrupted by {interrupted}"
            raise
        except KeyboardInterrupt:
            state, reason = RunState.INTERRUPTED, "interrupted by SIGINT"
            raise
        except CannotSave as error:
            reason = error.message
            raise
        except RunError as error:
            state, reason = RunState.FAILED, str(error)
        finally:
            _conclude(self._saved, state, reason)

    def _run_cells(self) -> tuple[RunState, str | None]:
        client = self._kernel.connect(timeout_s=self._options.start_timeout_s)
        self._saved.notebook["metadata"]["language_info"] = self._kernel.language_info
        ended: tuple[RunState, str | None] = RunState.SUCCEEDED, None
        for number, cell in enumerate(self._cells):
            self._at, self._is_outcome_unknown, self._end_s = number, False, 0.0
            if self._options.skips(cell):
                continue
            with self._saved.lock:
                self._outputs.start_cell(cell["outputs"])
                write_cell_state(cell, CellState.RUNNING)
                self._saved.changed()
            self._tell(RunEventKind.CELL_STARTED, cell["source"].partition("\n")[0])
            failure = self._run_cell(client, cell)
            self._widgets.sync(client)
            with self._saved.lock:
                write_cell_state(cell, CellState.FAILED if failure else CellState.SUCCEEDED)
                self._saved.changed()
            self._tell(RunEventKind.CELL_ENDED)
            if failure:
                continues = failure.error is not None and self._options.continues_after(cell, failure.error)
                if ended[0] is RunState.SUCCEEDED:
                    also = " (the cells below were run all the same)" if continues else ""
                    state = RunState.UNKNOWN if self._is_outcome_unknown else RunState.FAILED
                    ended = state, failure.reason + also
                if not continues:
                    return ended
            self._saved.write_if_due()
        self._stop.check()
        # The kernel ends while the run's end is being saved.
        self._kernel.ask_to_end()
        return ended

    def _run_cell(self, client: Any, cell: dict[str, Any]) -> _Failure | None:
        """Run one cell and return why it failed, or None if it did not."""
        request = client.execute(cell["source"], store_history=True, allow_stdin=False, stop_on_error=True)
        try:
            return self._await_cell(client, cell, request)
        except Interrupted:
            if self._end_s:
                # The cell has started runs that end by themselves. A second signal ends the wait.
                self._stop_cell(client, request, longest_s=self._end_s)
            raise

    def _await_cell(self, client: Any, cell: dict[str, Any], request: str) -> _Failure | None:
        started_s = heard_s = time.monotonic()
        timeout_s = self._options.cell_timeout_s
        reply: Mapping[str, Any] | None = None
        idle = False
        while reply is None or not idle:
            self._stop.check()
            message = _heard(client)
            if message is not None:
                idle = self._take(message, request) or idle
                heard_s = time.monotonic()
            elif (code := self._kernel.exit_code) is not None:
                self.kernel_died = True
                return _Failure(f"kernel died ({_how(code)})")
            elif idle and reply is None and time.monotonic() - heard_s > _LONGEST_SILENCE_S:
                # Such as after `sys.stdout = None`: the kernel failed at the cell, and only logs that.
                return _Failure(
                    "the kernel ended the cell without a result: this cell or one above has broken it"
                )
            elif reply is not None and time.monotonic() - heard_s > _LONGEST_SILENCE_S:
                with self._saved.lock:
                    self._outputs.take("stream", {"name": "stderr", "text": _CUT_SHORT})
                break
            # Checked even if endless output means that there is always a message.
            if reply is None and timeout_s is not None and time.monotonic() - started_s > timeout_s:
                reply = _reply(client, request)
                if reply is None:
                    self._stop_cell(client, request)
                    return _Failure(f"timeout: the cell ran longer than {timeout_s:g} s")
            if reply is None and (message is None or idle):
                reply = _reply(client, request)
            self._saved.write_if_due()
        cell["execution_count"] = reply.get("execution_count")
        return self._why_failed(reply)

    def _why_failed(self, reply: Mapping[str, Any]) -> _Failure | None:
        """Judge a cell by the kernel's reply; None if it did not fail."""
        if reply["status"] == "ok":
            if any(each.get("source") == "ask_exit" for each in reply.get("payload") or ()):
                # The kernel ends a moment later: how much of the next cell runs would be chance.
                return _Failure("the cell called exit()")
            return None
        error = str(reply.get("ename", reply["status"]))
        reason: str = self._saved.redacted(f"{error}: {reply.get('evalue', '')}".strip().rstrip(":"))
        return _Failure(cut(reason, _LONGEST_REASON), error)

    def _stop_cell(self, client: Any, request: str, *, longest_s: float = _INTERRUPT_GRACE_S) -> None:
        # Keep what the cell prints until it stops.
        self._kernel.interrupt()
        deadline_s = time.monotonic() + longest_s
        while time.monotonic() < deadline_s:
            message = _heard(client)
            if message is not None and self._take(message, request):
                return

    def _take(self, message: Mapping[str, Any], request: str) -> bool:
        """Apply a message; True if it says that the request is done."""
        if message["parent_header"].get("msg_id") != request:
            return False
        kind, content = message["msg_type"], message["content"]
        if kind == "status":
            return bool(content["execution_state"] == "idle")
        if "execution_count" in content:
            self._cells[self._at]["execution_count"] = content["execution_count"]
        if kind.startswith("comm_"):
            self._take_widget(kind, content, message.get("buffers") or ())
            return False
        record = content.get("data", {}).get(RECORD_MIME)
        with self._saved.lock:
            # A record is evidence, and stays where the engine put it.
            if kind in _CAPTURED and record is None and self._widgets.capture(request, kind, content):
                self._saved.changed()
                return False
            if self._outputs.take(kind, content):
                self._saved.changed()
        if kind == "stream":
            self._tell(RunEventKind.STREAM, content["text"], name=content["name"])
        elif kind in ("display_data", "execute_result"):
            self._tell(RunEventKind.DISPLAY, plain=_plain(content["data"]))
        # Compared with masked records, since the kernel masks it too; a record that differs was made up by a cell.
        if record is not None and record in self._saved.redacted(self._outputs.own_records(content)):
            self._tell(
                RunEventKind.RECORD,
                record,
                content["data"].get("text/plain", ""),
                str(content["metadata"].get(PROGRESS_KEY, "")),
                share=_share(content["metadata"].get(SHARE_KEY)),
            )
        return False

    def _take_widget(self, kind: str, content: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        if not self._options.store_widget_state:
            return
        with self._saved.lock:
            if not self._widgets.take(kind, content, buffers):
                self._outputs.take("stream", {"name": "stderr", "text": _NOT_KEPT})
            self._saved.changed()

    def _settle(self) -> None:
        """Bring the notebook up to date with all messages received."""
        self._outputs.settle()
        if self._summary_is_due:
            self._summary_is_due = False
            put_summary(self._saved.notebook, self._saved.redacted)
        state = self._widgets.state()
        if state is not None:
            self._saved.notebook["metadata"]["widgets"] = state

    def _learn(self, secret: str) -> None:
        self._learn_secret(secret)
        # The summary may quote the secret, so it has to be written again.
        self._summary_is_due = True

    def _let_end(self, duration_s: float) -> None:
        self._end_s = min(duration_s, _LONGEST_END_S)

    def _announce(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        with self._saved.lock:
            self._outputs.announce(display_id, bundle)
            self._summary_is_due = True
            self._saved.write()

    def _conclude_record(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        with self._saved.lock:
            self._outputs.conclude(display_id, bundle)
            self._summary_is_due = True
            self._saved.changed()
        # A cell may send anything over the line.
        with contextlib.suppress(RecordError, KeyError, TypeError):
            self._is_outcome_unknown |= StepRecord.from_json(bundle[RECORD_MIME]).state is StepState.UNKNOWN

    def _tell(
        self,
        kind: RunEventKind,
        text: str = "",
        plain: str = "",
        progress: str = "",
        name: str = "",
        share: float | None = None,
    ) -> None:
        place = self._places[self._at]
        self._on_event(
            RunEvent(kind, self._at + 1, len(self._cells), text, plain, progress, name, place, share)
        )


def conclude_without_kernel(saved: SavedRun, reason: str) -> None:
    """Save a run for which no kernel could be started: it failed, and no cell of it ran.

    Raises:
        CannotSave: It cannot be saved.
    """
    clear_cells(saved.notebook)
    _conclude(saved, RunState.FAILED, reason)


def _conclude(saved: SavedRun, state: RunState, reason: str | None) -> None:
    with saved.lock:
        end_run(saved.notebook, state, reason)
        put_summary(saved.notebook, saved.redacted)
        saved.write(last=True)
        saved.redact_in_place()


def _share(value: object) -> float | None:
    """A share from a cell's display; None if it is not a number from 0 to 1, since a cell may send anything."""
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def _plain(data: Mapping[str, Any]) -> str:
    text = data.get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)


def _heard(client: Any) -> Mapping[str, Any] | None:
    """The kernel's next output message; None if there is none for a tenth of a second."""
    with contextlib.suppress(queue.Empty):
        message: Mapping[str, Any] = client.get_iopub_msg(timeout=_POLL_S)
        return message
    return None


def _reply(client: Any, request: str) -> Mapping[str, Any] | None:
    with contextlib.suppress(queue.Empty):
        while True:
            message = client.get_shell_msg(timeout=0)
            if message["parent_header"].get("msg_id") == request:
                content: Mapping[str, Any] = message["content"]
                return content
    return None


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):  # a real-time signal has no name
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
