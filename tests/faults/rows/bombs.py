"""Rows 57 and 58: notebooks and Dockerruns made to break their readers."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import InvalidDockerrun
from tests.audit.runs import RECORDED, save
from tests.faults import forked
from tests.faults.plan import batch

_LIMIT_BYTES = 1_000_000_000
_LIMIT_S = 5
_AUDIT = """
import json, sys, time
from pathlib import Path
from datetime import UTC, datetime
from ecr_widgets.audit.index import Index
from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.keys import KeyRing
from tests.reading import read_file
from ecr_widgets.audit.report import write_report
from ecr_widgets.audit.scan import scan
from ecr_widgets.audit.sealing import seal_missing
from ecr_widgets.audit.verify import verify
from tests.faults.counting import peak_mb
runs, ring, now = Path(sys.argv[1]), KeyRing(Path(sys.argv[2])), datetime.now(UTC)
took = {}
for path in sorted(runs.iterdir()):
    started = time.perf_counter()
    judge(read_file(path))
    took[path.name] = time.perf_counter() - started
names = [name for name, _ in scan(runs)]
seal_missing(runs, names, ring=ring, now=now)
checked = verify(runs, names, ring=ring)
with Index(runs, None, ring=ring) as index:
    index.update()
    rows = list(index.rows())
write_report(runs / "report.html", runs, rows, checked=checked, now=now)
told = {row.path: (row.verdict, took[row.path], row.seal) for row in rows}
print(json.dumps([told, peak_mb() << 20]))
"""
_STARTED = re.compile(rb'("started_at": )"[^"]*"')
_STOCK = """
import sys, nbformat
nbformat.validate(nbformat.read(sys.argv[1], 4))
"""


def _started(real: bytes, moment: bytes) -> bytes:
    """A recorded run that began at the end of time."""
    return _STARTED.sub(b'\\1"' + moment + b'"', real)


def bombs(chance: random.Random, count: int) -> dict[str, bytes]:
    """Notebooks by name: the plan's, then a recorded run with bytes changed, cut or doubled; of the first none can be read."""
    real = (RECORDED / "deployed.json").read_bytes()
    head = b'{"nbformat":4,"nbformat_minor":5,"metadata":{"ecr_widgets":'
    cell = b'{"cell_type":"code","id":"a","metadata":{},"execution_count":1,"outputs":[],"source":""}'
    made = {
        "deep": b"[" * 100_000,
        "deep metadata": head + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b'},"cells":[]}',
        "digits": head + b'{"version":' + b"9" * 5000 + b'}},"cells":[]}',
        "nan": head + b'{"version":NaN}},"cells":[]}',
        "twice": head + b'{"version":1,"version":2}},"cells":[],"cells":null}',
        "list": b"[]",
        "null": b"null",
        "cells null": head + b'{}},"cells":null}',
        "version 99": b'{"nbformat":99,"metadata":{"ecr_widgets":{}},"cells":[]}',
        "long text": head + b'{"version":1,"run_id":"' + b"x" * 200_000_000 + b'"}},"cells":[]}',
        "many cells": head + b'{"version":1}},"cells":[' + b",".join([cell] * 400_000) + b"]}",
        "million cells": head + b'{"version":1}},"cells":[' + b",".join([cell] * 1_000_000) + b"]}",
        "before all time": _started(real, b"0001-01-01T00:00:00+14:00"),
        "after all time": _started(real, b"9999-12-31T23:59:59-14:00"),
        "not utf-8": real[:5000] + b"\xff\xfe" + real[5000:],
        "mark": b"\xef\xbb\xbf" + real,
        "empty": b"",
        "text": b"hello",
    }
    kept = dict(list(made.items())[:count])
    for number in range(count - len(kept)):
        content = bytearray(real)
        at = chance.randrange(len(content))
        if number % 3 == 0:
            content = content[:at]
        elif number % 3 == 1:
            content[at : at + 20] = chance.randbytes(20)
        else:
            content[at:at] = content[at : at + chance.randrange(1, 2000)]
        kept[f"fuzz {number}"] = bytes(content)
    return kept


@batch(
    57,
    "notebooks made to break readers: each is named, none stops the audit, slow or large",
    tries=330,
    quick=45,
)
def notebook_bombs(tries: int, seed: int) -> tuple[int, int, str]:
    """One process reads, seals, verifies, indexes and reports them all, each read within 5 s, all within 1 GB.

    A good run among them is proven and intact.
    """
    made = bombs(random.Random(seed), tries)
    with (
        tempfile.TemporaryDirectory(prefix="ft-") as name,
        tempfile.TemporaryDirectory(prefix="ft-") as keys,
    ):
        folder = Path(name)
        for bomb, content in made.items():
            (folder / f"{bomb}.ipynb").write_bytes(content)
        # Another run than those that were made from "deployed": a copy would get no seal.
        save(folder, "proven", "good.ipynb")
        done = subprocess.run(
            [sys.executable, "-c", _AUDIT, folder, keys],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode:
            return tries, 0, done.stderr[-300:]
        told, peak_bytes = json.loads(done.stdout)
        wrong = [each for each, (_, took_s, _) in told.items() if took_s > _LIMIT_S]
        wrong += [
            each for each in made if not each.startswith("fuzz") if told[f"{each}.ipynb"][0] != "unreadable"
        ]
        wrong += ["good"] if told["good.ipynb"][::2] != ["proven", "intact"] else []
        wrong += ["memory"] if peak_bytes > _LIMIT_BYTES else []
        crashed = 0
        for each in ("deep", "list", "null", "cells null", "not utf-8"):
            words = [sys.executable, "-c", _STOCK, folder / f"{each}.ipynb"]
            crashed += bool(forked.run(words, capture_output=True).returncode)
    note = f"{peak_bytes / 1e6:.0f} MB at most; control: nbformat stops at {crashed} of 5"
    return len(wrong), crashed, "; ".join([note, *wrong[:3]])


_KINDS = (
    "twice",
    "unknown",
    "comment",
    "mount",
    "socket",
    "host network",
    "memory",
    "many",
    "name",
    "cut",
    "bytes",
)
_RISKY = ("mount", "socket", "host network")


def _dockerrun(kind: str, chance: random.Random) -> bytes:
    container: dict[str, Any] = {"name": "a", "image": "r.example/a:1", "memory": 10}
    document: dict[str, Any] = {"containerDefinitions": [container]}
    if kind == "twice":
        return json.dumps(document).replace('"memory": 10', '"memory": 10, "memory": 9').encode()
    if kind == "unknown":
        chance.choice((document, container))[f"x{chance.randrange(10**9)}"] = {"a": [1, "é"]}
    elif kind == "comment":
        chance.choice((document, container))[f"_{chance.randrange(10**9)}"] = {"a": [1, "é"]}
    elif kind in ("mount", "socket"):
        path = "/" * chance.randrange(1, 4) if kind == "mount" else "/var/run/../run/docker.sock"
        document["volumes"] = [{"name": "v", "host": {"sourcePath": path}}]
    elif kind == "host network":
        document["networkMode"] = "host"
    elif kind == "memory":
        container["memory"] = chance.choice((-1, 0, 10**30, "10", None, 1.5, True))
    elif kind == "many":
        document["containerDefinitions"] = [{**container, "name": f"c{n}"} for n in range(100_000)]
    elif kind == "name":
        container["name"] = chance.choice(("", "a b", "-" * 300, "\0", 5, "\u202e"))
    content = json.dumps(document).encode()
    if kind == "cut":
        return content[: chance.randrange(len(content))]
    if kind == "bytes":
        at = chance.randrange(len(content))
        return content[:at] + chance.randbytes(3) + content[at:]
    return content


@batch(58, "Dockerruns that lie, repeat, overflow or reach for the machine", tries=300, quick=60)
def dockerrun_bombs(tries: int, seed: int) -> tuple[int, int, str]:
    """Refused with a place, or taken with each risk named and comments kept."""
    chance, wrong, sensed = random.Random(seed), [], 0
    for number in range(tries):
        kind = _KINDS[number % len(_KINDS)]
        content = _dockerrun(kind, chance)
        try:
            taken = Dockerrun.parse(content)
        except InvalidDockerrun:
            if kind in ("comment", *_RISKY):
                wrong.append(f"{kind} refused")
            continue
        except Exception as error:  # noqa: BLE001 -- any other error is a failure
            wrong.append(f"{kind}: {type(error).__name__}")
            continue
        finally:
            try:
                # Stock: what JSON reads goes to Layer0.
                sensed += kind in ("twice", "memory", "many") and bool(json.loads(content))
            except ValueError:
                pass
        if kind in ("twice", "unknown", "memory", "many", "name", "cut"):
            wrong.append(f"{kind} taken: {content[:80]!r}")
        if kind in _RISKY and not taken.risks():
            wrong.append(f"{kind} not named")
        if kind == "comment" and taken.document != json.loads(content):
            wrong.append("comment lost")
    return len(wrong), sensed, "; ".join([f"control: plain JSON takes {sensed} of them", *wrong[:3]])
