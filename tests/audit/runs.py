"""Saved runs for tests: real ones, recorded on the sandbox, and any number made from them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ecr_widgets.audit.attestation import bundle_of, read_bundle
from ecr_widgets.model.record import StepRecord
from ecr_widgets.saved_runs.reading import read_records

RECORDED = Path(__file__).parent / "recorded"
_RECORD = "application/vnd.ecr-widgets.record+json"
KINDS = ("deployed", "proven", "failed", "interrupted", "killed", "papermill")
_MIX = ("deployed",) * 6 + ("proven",) * 2 + ("failed", "interrupted")
_LOG_LINE = "2026-11-23T16:46:27Z timeoutsvc: request served in {} ms by worker {} of pool blue\\n"


def recorded(kind: str) -> dict[str, Any]:
    """The notebook of one recorded run: `deployed` changed the service, `proven` found all standing, `killed` got SIGKILL."""
    notebook: dict[str, Any] = json.loads((RECORDED / f"{kind}.json").read_text())
    return notebook


def save(folder: Path, kind: str, name: str | None = None, notebook: dict[str, Any] | None = None) -> Path:
    """Save a recorded run, or what was made of it, the way the engine does."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"{kind}.ipynb")
    path.write_text(json.dumps(notebook or recorded(kind), ensure_ascii=False, indent=1) + "\n")
    return path


def steps_of(notebook: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each record with the MIME bundle that holds it."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if _RECORD in data:
                yield json.loads(data[_RECORD]), data


def override_gate(notebook: dict[str, Any], reason: str) -> dict[str, Any]:
    """Have the gate asked before the service was moved, and overridden."""
    cell = next(each for each in notebook["cells"] if "deploy_service(" in "".join(each["source"]))
    (moved,) = cell["outputs"]
    own = json.loads(moved["data"][_RECORD])
    for record, data in steps_of(notebook):
        if record["sequence"] >= own["sequence"]:
            data[_RECORD] = json.dumps({**record, "sequence": record["sequence"] + 1}, separators=(",", ":"))
    asked = own | {
        "step": "check_evidence",
        "changed": False,
        "ended_at": own["started_at"],
        "inputs": {"environment": "demo", "deploy_id": own["inputs"]["deploy_id"]},
        "outcome": {"decision": "overridden", "override": reason, "unmet": ["keys: none"], "changed": False},
    }
    data = {_RECORD: json.dumps(asked, separators=(",", ":")), "text/plain": "check_evidence"}
    cell["outputs"].insert(0, {**moved, "data": data})
    return notebook


def records_of(notebook: dict[str, Any]) -> tuple[StepRecord, ...]:
    """The records that count, as the product reads them."""
    return tuple(read_records(json.dumps(notebook).encode()))


def change_record(notebook: dict[str, Any], step: str, /, **members: Any) -> dict[str, Any]:
    """Change members of a step's record; dicts are merged into what stands."""
    for record, data in steps_of(notebook):
        if record["step"] == step:
            for key, value in members.items():
                record[key] = {**record[key], **value} if isinstance(value, dict) and record[key] else value
            data[_RECORD] = json.dumps(record, separators=(",", ":"))
    return notebook


def seals_in(content: bytes) -> list[bytes]:
    """What was added to a chain, seal by seal: each with the row in front of it, if there is one."""
    return re.findall(rb'(?:\{"row":.*\n)?.+\n', content)


def forge(seal: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    """A seal of a chain with texts of its statement replaced, and its row and the signature left as they were."""
    lines = seal.splitlines(keepends=True)
    envelope = read_bundle(lines[-1].removesuffix(b"\n"))
    for old, new in changes:
        assert old in envelope.payload
        envelope = envelope._replace(payload=envelope.payload.replace(old, new))
    return b"".join(lines[:-1]) + bundle_of(envelope) + (b"\n" if seal.endswith(b"\n") else b"")


def statement(line: bytes) -> dict[str, Any]:
    """What a line of a chain says."""
    told: dict[str, Any] = json.loads(read_bundle(line).payload)
    return told


def generate(folder: Path, count: int, *, seed: int = 1, size_bytes: int = 60_000, first: int = 0) -> None:
    """Make saved runs of real ones: own ids, times, digests and services, padded with log output to about one size.

    A replacement of texts in the file's bytes, so that 100,000 take a minute and each keeps the real one's form.
    """
    folder.mkdir(parents=True, exist_ok=True)
    templates = {kind: _template(kind, size_bytes) for kind in set(_MIX)}
    day = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(first, first + count):
        chance = random.Random(f"{seed}-{number}")
        kind = chance.choice(_MIX)
        text, run_id, digest, date = templates[kind]
        started = day + timedelta(seconds=number * 300 + chance.randrange(60))
        own_id = f"{started:%Y%m%dT%H%M%SZ}-{chance.randrange(1 << 24):06x}"
        made = text.replace(run_id, own_id).replace(date, f"{started:%Y-%m-%dT%H:%M}")
        if digest:
            made = made.replace(digest, f"{chance.randrange(1 << 256):064x}")
        made = made.replace("timeoutsvc", f"svc-{chance.randrange(40)}")
        (folder / f"{own_id}-release.ipynb").write_text(made)


def _template(kind: str, size_bytes: int) -> tuple[str, str, str, str]:
    notebook = recorded(kind)
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    last = next(cell for cell in reversed(notebook["cells"]) if cell["cell_type"] == "code")
    lines = (_LOG_LINE.replace("\\n", "\n").format(n % 97, n % 8) for n in range(100_000))
    log = ""
    while len(text) + len(log) < size_bytes:
        log += next(lines)
    last["outputs"].append({"output_type": "stream", "name": "stdout", "text": log})
    run_id = notebook["metadata"]["ecr_widgets"]["run_id"]
    digest = next(iter(re.findall(r"@sha256:([0-9a-f]{64})", text)), "")
    date = notebook["metadata"]["ecr_widgets"]["started_at"][:16]
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", run_id, digest, date
