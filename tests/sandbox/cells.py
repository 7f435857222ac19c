"""A runbook's cells in this process: what its steps do and say, without an engine, a kernel and a saved file."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import ecr_widgets
from ecr_widgets import connect
from ecr_widgets.channel import PLAN_VARIABLE, outside_a_run
from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.parameters import read_parameters
from ecr_widgets.model.record import StepRecord
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.runbooks import find_runbook
from tests.faults.plan import leaving_sockets


class KeepingSink(QuietSink):
    """Keeps how each step ended."""

    def __init__(self) -> None:
        self.records: list[StepRecord] = []

    def close(self, record: StepRecord) -> None:
        self.records.append(record)


def run_cells(
    name: str, environ: Mapping[str, str], folder: Path, *, planning: bool = False, **given: str
) -> list[StepRecord]:
    """Run a shipped runbook's cells, as they are, up to the first step that fails; how its steps ended.

    Args:
        folder: The current one meanwhile.

        planning: Whether they are only planned; the engine says so to a run's kernel, and nobody to other processes.

        given: Parameters as a person types them.
    """
    book = find_runbook(name)
    values = read_parameters(book.parameters, values={}, texts=given)
    sink = KeepingSink()
    told = {PLAN_VARIABLE: "1"} if planning else {}
    names: dict[str, Any] = {}
    with (
        leaving_sockets(),
        mock.patch.dict(os.environ, environ, clear=True),
        mock.patch.object(ecr_widgets, "connect", partial(connect, sink=sink)),
        mock.patch("ecr_widgets.connections.outside_a_run", lambda each: outside_a_run(each) | told),
        contextlib.chdir(folder),
    ):
        try:
            for cell in json.loads(book.content)["cells"]:
                if cell["cell_type"] == "code":
                    exec(compile("".join(cell["source"]), name, "exec"), names)
                if "parameters" in cell["metadata"].get("tags", ()):
                    names |= values
        except EcrWidgetsError:
            # An error that no step recorded would not show in the records.
            if not any(each.error for each in sink.records):
                raise
        finally:
            names.clear()
    return sink.records
