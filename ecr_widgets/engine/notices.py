"""Notices of runs that failed or wait for a second person, however they were started."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ecr_widgets.engine.results import RunResult
from ecr_widgets.errors import EcrWidgetsError, TargetBusy
from ecr_widgets.secrets.redaction import SecretRegistry


def tell_end(result: RunResult, environ: Mapping[str, str] = os.environ) -> None:
    """Send a notice of a run that did not succeed or that waits; for a slot's earlier run it was sent when that run ended."""
    if result.exit_code != 0 and not result.ran_before:
        _tell(result.to_json(), environ)


@contextmanager
def telling_refusals(runbook: str, environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Keep secrets out of the message of an error that ends the block, and send a notice of it.

    No notice if another run holds the slot or file: that run does the work.
    """
    known = SecretRegistry(environ)
    try:
        yield
    except EcrWidgetsError as error:
        error.args = tuple(known.redact_values(list(error.args)))
        error.message = known.redact(error.message)
        error.hint = known.redact(error.hint) if error.hint else error.hint
        if not isinstance(error, TargetBusy):
            summary = {"runbook": runbook, "state": "refused", "reason": str(error)}
            _tell(known.redact_values(summary), environ)
        raise


def _tell(summary: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    command, url = (environ.get(f"ECR_WIDGETS_NOTIFY_{name}", "") for name in ("COMMAND", "URL"))
    if not command and not url:
        return
    from ecr_widgets.adapters.notify import notify

    for problem in notify({**summary, "host": socket.gethostname()}, command=command, url=url):
        sys.stderr.write(f"ecr-widgets: {problem}\n")
