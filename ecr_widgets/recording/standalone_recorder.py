"""A recorder for steps that contact no service and so need no kit; under the engine, in the same run as the kit."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime

from ecr_widgets.channel import new_run_id, open_channel
from ecr_widgets.recording.recorder import Recorder, RecordSink, numbers_of
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.run_clock import RUN_CLOCK


class _Clock:
    """Implements `ports.Clock` with the system clock."""

    def now(self) -> datetime:
        return RUN_CLOCK.now()

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def standalone_recorder(environ: Mapping[str, str] = os.environ) -> Recorder:
    """Return this run's recorder: in a notebook it displays its records in the cell, elsewhere it shows nothing."""
    channel = open_channel(environ)
    run_id = channel.run_id if channel is not None else new_run_id()
    sink: RecordSink = QuietSink()
    # If IPython is not loaded, this is not a notebook.
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if getattr(shell, "kernel", None) is not None:
        from ecr_widgets.recording.notebook import NotebookSink

        sink = NotebookSink(channel)
    return Recorder(run_id, _Clock(), sink, numbers=numbers_of(run_id))
