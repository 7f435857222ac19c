"""`make engines`: each step on each engine, with what was seen; writes `build/engines.json` and the table in the docs.

Usage: python -m tests.engines [--engine WORDS]... [--source CHECKOUT]

`--engine` tries some; what `build/engines.json` has of the others stays. `--source` tries the product of another checkout, such as one of an earlier commit: a control for what a row shows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.engines import page
from tests.engines.bench import ROOT, Bench
from tests.engines.daemons import KINDS, EngineKind, running
from tests.engines.packages import NoPackages, provide_root
from tests.engines.steps import STEPS, Outcome, title

FOLDER = ROOT / "build" / "engines"
RESULTS = ROOT / "build" / "engines.json"


@dataclass(frozen=True)
class Row:
    """One cell of the matrix, as the contract has it, and the engine's own version."""

    engine: str
    store: str
    step: str
    ok: bool
    refused: str | None
    note: str
    version: str
    commit: str


def main() -> int:
    """Run it; 1 where a step is not right."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines")
    parser.add_argument("--engine", action="append", default=[], help="part of an engine's or store's name")
    parser.add_argument("--source", type=Path, default=ROOT, help="checkout whose product is tried")
    options = parser.parse_args()
    # Whoever ends this ends its engines and sandboxes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [
        kind for kind in KINDS if not options.engine or any(word in _name(kind) for word in options.engine)
    ]
    commit = _commit(options.source)
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows, missing = [], []
    for kind in chosen:
        print(f"== {_name(kind)}", flush=True)
        try:
            rows += list(_rows(kind, options.source.resolve(), commit))
        except NoPackages as error:
            missing.append(f"{_name(kind)}: {error}")
            print(f"   not tried: {error}", flush=True)
    is_ours = options.source == ROOT
    earlier = json.loads(RESULTS.read_text()) if options.engine and is_ours and RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(joined(earlier, chosen, rows, missing), indent=1) + "\n")
    if is_ours:
        page.main()
    wrong = [row for row in rows if not row.ok]
    print(f"{len(rows) - len(wrong)} of {len(rows)} right; written to {RESULTS.relative_to(ROOT)}")
    return 1 if wrong or missing else 0


def try_steps(bench: Bench, steps: tuple[Callable[[Bench], Outcome], ...]) -> Iterator[tuple[str, Outcome]]:
    """Each step in turn; one that breaks is wrong, and the next ones are tried all the same."""
    for step in steps:
        try:
            outcome = step(bench)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is this cell's
            outcome = Outcome(ok=False, note=f"{type(error).__name__}: {error}")
        yield title(step), outcome


def _rows(kind: EngineKind, source: Path, commit: str) -> Iterator[Row]:
    def say(text: str) -> None:
        print(f"   {text}", flush=True)

    folder = Path(tempfile.mkdtemp(prefix="engines-"))
    try:
        with running(kind, FOLDER, progress=say) as docker_host:
            bench = Bench(docker_host, source, folder, _plugin(say))
            with bench.engine() as engine:
                version = str(engine.version()["Version"])
            try:
                for step, outcome in try_steps(bench, STEPS):
                    mark = "ok " if outcome.ok else "BAD"
                    print(f"   {mark} {step}: {outcome.refused or outcome.note}", flush=True)
                    yield Row(
                        kind.name,
                        kind.store.value,
                        step,
                        outcome.ok,
                        outcome.refused,
                        outcome.note,
                        version,
                        commit,
                    )
            finally:
                bench.down()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def joined(
    earlier: Mapping[str, Any], tried: Sequence[EngineKind], rows: Sequence[Row], missing: Sequence[str]
) -> dict[str, Any]:
    """What was seen now, and of engines that were not tried now what was seen before, in the order of the engines."""
    names = [_name(kind) for kind in KINDS]
    others = set(names) - {_name(kind) for kind in tried}
    kept = [row for row in earlier.get("rows", ()) if f"{row['engine']}, {row['store']}" in others]
    found = [*kept, *map(asdict, rows)]
    still = [each for each in earlier.get("not_tried", ()) if each.partition(":")[0] in others]
    return {
        "rows": sorted(found, key=lambda row: names.index(f"{row['engine']}, {row['store']}")),
        "not_tried": [*still, *missing],
    }


def _plugin(progress: Callable[[str], None]) -> Path:
    """A buildx of today, whatever this machine has; it needs nothing but the C library."""
    root = provide_root(FOLDER, "trixie", ("docker-buildx",), progress)
    return root / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-buildx"


def _name(kind: EngineKind) -> str:
    return f"{kind.name}, {kind.store.value}"


def _commit(source: Path) -> str:
    words: list[str | Path] = ["git", "-C", source, "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
