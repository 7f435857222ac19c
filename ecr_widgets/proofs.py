"""Which deploys a service is proven to have run: the verified ones of saved runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ecr_widgets.model.record import RECORD_MIME, StepState, counts

_NEWEST = 200
"""Saved runs that are looked at, newest first: enough for the way back, whatever the folder holds."""


def proven_deploys(runs: Path, service_id: str) -> frozenset[str]:
    """Ids of deploys of which a newer saved run in the folder says that the service ran them, verified by digest.

    What cannot be read proves nothing and is left out.
    """
    return frozenset(
        record["outcome"]["deploy_id"]
        for record in _records(runs)
        if record["step"] == "verify"
        and record["state"] == StepState.SUCCEEDED.value
        and record["outcome"].get("service_id") == service_id
        and isinstance(record["outcome"].get("deploy_id"), str)
    )


def _records(runs: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(runs.glob("*.ipynb"), reverse=True)[:_NEWEST]:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            if not path.is_file():
                continue  # a pipe would be waited for
            content = path.read_bytes()
            # Most runs verify nothing, and reading bytes is cheaper than reading JSON.
            if b"verify" not in content:
                continue
            notebook = json.loads(content)
            for cell in notebook["cells"]:
                for output in cell.get("outputs", ()):
                    record = output.get("data", {}).get(RECORD_MIME)
                    if record is not None and counts(notebook, output):
                        yield _read(record)


def _read(record: Any) -> dict[str, Any]:
    read = json.loads("".join(record))
    # What the caller reads of it, so that a broken one ends here.
    return {"step": read["step"], "state": read["state"], "outcome": dict(read["outcome"])}
