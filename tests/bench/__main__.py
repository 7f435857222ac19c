"""`make bench`: what the kit costs, compared with the tools that people use today.

Both sides of a row run alternately, A B A B, in one session on one machine; `ratio` is the median of the pairwise ratios, so
that a machine that slows down in between affects both. Writes `build/bench.json` and prints a table.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BIN = Path(sys.executable).parent
EMPTY_RUNBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "parameters",
            "metadata": {"tags": ["parameters"]},
            "execution_count": None,
            "outputs": [],
            "source": "reason: str = ''  # why",
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@dataclass(frozen=True)
class Row:
    """One comparison; `ours` and `other` are medians in `unit`."""

    name: str
    ours: float
    other: float
    other_name: str
    unit: str
    ratio: float
    aim: float
    runs: int


def compare(
    name: str,
    ours: Callable[[int], None],
    other: Callable[[int], None],
    *,
    other_name: str,
    aim: float,
    runs: int,
    warm_up: bool = True,
) -> Row:
    """Time both sides alternately; each gets the number of its run."""
    pairs = []
    for number in range(-1 if warm_up else 0, runs):
        pair = (_seconds(ours, number), _seconds(other, number))
        if number >= 0:
            pairs.append(pair)
            print(f"  {name} {number + 1}/{runs}: {pair[0]:.2f} s against {pair[1]:.2f} s", file=sys.stderr)
    return Row(
        name,
        round(statistics.median(a for a, _ in pairs), 3),
        round(statistics.median(b for _, b in pairs), 3),
        other_name,
        "s",
        round(statistics.median(a / b for a, b in pairs), 3),
        aim,
        runs,
    )


def _seconds(call: Callable[[int], None], number: int) -> float:
    started_s = time.perf_counter()
    call(number)
    return time.perf_counter() - started_s


def _run(*words: str | Path, environ: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    done = subprocess.run(words, env=environ, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{words[0]} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )


def import_row(runs: int) -> Row:
    """`import ecr_widgets` against importing the libraries it uses, in fresh interpreters."""
    return compare(
        "import",
        lambda _: _run(sys.executable, "-c", "import ecr_widgets"),
        lambda _: _run(sys.executable, "-c", "import boto3, docker, pandas, ipywidgets"),
        other_name="import boto3, docker, pandas, ipywidgets",
        aim=0.1,
        runs=runs,
    )


def startup_row(runs: int, folder: Path) -> Row:
    """An empty runbook run by both commands."""
    book = folder / "empty.ipynb"
    book.write_text(json.dumps(EMPTY_RUNBOOK))
    return compare(
        "startup",
        lambda _: _run(BIN / "ecr-widgets", "run", book, "--runs", folder / "runs"),
        lambda _: _run(BIN / "papermill", book, folder / "out.ipynb"),
        other_name="papermill command",
        aim=0.35,
        runs=runs,
    )


def walkthrough_rows(runs: int, folder: Path) -> list[Row]:
    """The release runbook against a script of `aws`, `docker` and `curl`, in one sandbox."""
    other_name = "script of aws, docker and curl"
    with walkthroughs(folder / "layer0", HERE / "walkthrough.sh", "demo") as (ours, script):
        cold = compare(
            "walkthrough from nothing",
            lambda n: ours(f"cold{n + 1}"),
            lambda n: script(f"cold{n + 1}"),
            other_name=other_name,
            aim=1.0,
            runs=runs,
        )
        warm = compare(
            "walkthrough",
            lambda _: ours("warm"),
            lambda _: script("warm"),
            other_name=other_name,
            aim=1.0,
            runs=runs,
        )
        return [warm, cold]


def ecs_walkthrough_rows(runs: int, folder: Path) -> list[Row]:
    """The same runbook for an ECS cluster against a script of `aws ecs`, `docker` and `aws ecs wait`."""
    other_name = "script of aws ecs, docker and aws ecs wait"
    with walkthroughs(folder / "ecs", HERE / "walkthrough_ecs.sh", "ecs:demo") as (ours, script):
        cold = compare(
            "walkthrough on ECS from nothing",
            lambda n: ours(f"cold{n + 1}"),
            lambda n: script(f"cold{n + 1}"),
            other_name=other_name,
            aim=1.0,
            runs=runs,
        )
        warm = compare(
            "walkthrough on ECS",
            lambda _: ours("warm"),
            lambda _: script("warm"),
            other_name=other_name,
            aim=1.0,
            runs=runs,
        )
        return [warm, cold]


def store_rows(runs: int, folder: Path) -> list[Row]:
    """The release runbook with its run in a bucket of a real S3 server, against the same run in a folder."""
    from tests.buckets import seaweed

    with seaweed() as s3, patch.dict(os.environ, {"AWS_ENDPOINT_URL_S3": s3.url}):
        place = str(s3.new_place())
        with walkthroughs(folder / "store", HERE / "walkthrough.sh", "demo") as (ours, _):
            return [
                compare(
                    "store",
                    lambda _: ours("release", runs=place),
                    lambda _: ours("release"),
                    other_name="the same, saved in a folder",
                    aim=1.15,
                    runs=2 * runs,
                )
            ]


@contextmanager
def walkthroughs(
    folder: Path, path: Path, environment: str
) -> Iterator[tuple[Callable[..., None], Callable[[str], None]]]:
    """Return the release runbook and a script, in one sandbox; each is given a name for what it makes."""
    from ecr_widgets.sandbox import Sandbox

    folder.mkdir()
    with Sandbox(folder / "sandbox") as sandbox:
        environ = sandbox.environ(dict(os.environ))
        environ |= {"PATH": f"{BIN}:{environ['PATH']}", "DOCKER_CONFIG": str(folder / "docker-config")}

        def context(name: str) -> Path:
            made = folder / name
            if not made.exists():
                shutil.copytree(ROOT / "notebooks" / "wait", made)
                dockerfile = made / "Dockerfile.wait"
                # An extra line makes an image of its own, so that nothing from another run can be reused.
                dockerfile.write_text(dockerfile.read_text() + f"\nLABEL bench={name}\n")
            return made

        def ours(name: str, runs: str = str(folder / "runs")) -> None:
            where = context(f"ours-{name}")
            given = {
                "environment": environment,
                "repository": f"ours-{name}",
                "context": str(where),
                "local_name": f"bench/ours-{name}",
                "dockerrun": str(where / "timeout.dockerrun.aws.json"),
                "deploy": f"ours-{name}",
                "service": f"ours-{name}",
            }
            words = [word for pair in given.items() for word in ("-p", *pair)]
            _run(BIN / "ecr-widgets", "run", "release", "--runs", runs, *words, environ=environ)

        def script(name: str) -> None:
            where = context(f"script-{name}")
            name = f"script-{name}"
            _run("bash", path, where, name, f"bench/{name}", name, name, environ=environ)

        yield ours, script


def engine_rows(runs: int, folder: Path) -> list[Row]:
    """20 cells and a 5 MB output through both engines: wall time, and bytes written."""
    from tests.bench.engine import contestants

    folder = folder / "engine"
    folder.mkdir()
    ours, other, written = contestants(folder)
    timed = compare("engine", ours, other, other_name="papermill's own engine", aim=0.6, runs=runs)
    # The commands as people type them. Ours does not load a format checker whose import takes longer than the whole run;
    # papermill, as above, loads it before it calls any engine, so that both sides pay for it.
    book = folder / "book.ipynb"
    typed = compare(
        "engine, by command",
        lambda _: _run(BIN / "ecr-widgets", "run", book, "--runs", folder / "runs"),
        lambda _: _run(BIN / "papermill", book, folder / "typed.ipynb"),
        other_name="papermill command",
        aim=0.6,
        runs=runs,
    )
    pairs = list(zip(written["ecr_widgets"][1:], written[""][1:], strict=True))
    return [
        timed,
        typed,
        Row(
            "engine, bytes written",
            round(statistics.median(a for a, _ in pairs) / 1e6, 2),
            round(statistics.median(b for _, b in pairs) / 1e6, 2),
            "papermill's own engine",
            "MB",
            round(statistics.median(a / b for a, b in pairs), 3),
            0.3,
            runs,
        ),
    ]


def layer0_row(runs: int, folder: Path) -> Row:
    """Lists, a name and a creation against the requests that the `l0` command makes for them."""
    from tests.bench.layer0 import both

    with both(folder / "layer0") as (ours, other, told):
        return compare("layer0", ours, other, other_name=told, aim=1.1, runs=runs)


def runs_rows(runs: int, folder: Path) -> list[Row]:
    """20 small runs in sequence and 8 in parallel: wall time, and memory of the 8 together."""
    from tests.bench.runs import at_once, contestants, one_by_one

    folder = folder / "small"
    folder.mkdir()
    ours, other = contestants(folder)
    used: dict[str, list[int]] = {"ours": [], "other": []}
    rounds = max(1, runs // 2)
    one = compare(
        "runs, 20 one by one",
        lambda _: one_by_one(ours, 20),
        lambda _: one_by_one(other, 20),
        other_name="papermill command",
        aim=0.4,
        runs=rounds,
        warm_up=False,
    )
    many = compare(
        "runs, 8 at once",
        lambda _: used["ours"].append(at_once(ours, 8)),
        lambda _: used["other"].append(at_once(other, 8)),
        other_name="papermill command",
        aim=1.0,
        runs=rounds,
        warm_up=False,
    )
    pairs = list(zip(used["ours"], used["other"], strict=True))
    memory = Row(
        "runs, 8 at once, memory",
        round(statistics.median(a for a, _ in pairs) / 1e6, 1),
        round(statistics.median(b for _, b in pairs) / 1e6, 1),
        "papermill command",
        "MB",
        round(statistics.median(a / b for a, b in pairs), 3),
        1.0,
        rounds,
    )
    return [one, many, memory]


def fleet_rows(runs: int, folder: Path) -> list[Row]:
    """60 runs, 8 in parallel: wall time, and memory of all processes together."""
    from tests.bench.fleet import AT_ONCE, COUNT, Contest

    contest = Contest(folder / "fleet")
    other_name = f"xargs -P {AT_ONCE} papermill"
    timed = compare(
        f"fleet, {COUNT} runs",
        contest.ours,
        contest.other,
        other_name=other_name,
        aim=0.5,
        runs=runs,
        warm_up=False,
    )
    pairs = list(zip(contest.used["ours"], contest.used["other"], strict=True))
    memory = Row(
        f"fleet, {COUNT} runs, memory",
        round(statistics.median(a for a, _ in pairs) / 1e6, 1),
        round(statistics.median(b for _, b in pairs) / 1e6, 1),
        other_name,
        "MB",
        round(statistics.median(a / b for a, b in pairs), 3),
        1.0,
        runs,
    )
    return [timed, memory]


def audit_rows(runs: int, folder: Path) -> list[Row]:
    """Thousands of saved runs: read, indexed, queried, sealed, verified."""
    from tests.bench.audit import measured

    return [Row(*each) for each in measured(runs, folder / "audit")]


def audit_on_s3_rows(runs: int, folder: Path) -> list[Row]:
    """Hundreds of thousands of saved runs in a bucket, and an index of a million."""
    from tests.bench.audit_on_s3 import measured

    return [Row(*each) for each in measured(runs, folder / "audit-on-s3")]


def attest_rows(runs: int, folder: Path) -> list[Row]:
    """The time that attaching its seal adds to a run, against the push of 50 MB."""
    from tests.bench.attest import measured

    return [Row(*each) for each in measured(runs, folder / "attest")]


def panel_rows(runs: int) -> list[Row]:
    """Thousands of images in a panel, against one page of DescribeImages and against tables that people use."""
    from tests.bench.panel import measured

    return [Row(*each) for each in measured(runs)]


def push_rows(runs: int, folder: Path) -> list[Row]:
    """400 MB in 5 layers: pushes against `docker push`, a copy against `skopeo copy`, on the configured engine."""
    from tests.bench.push import measured

    return [Row(*each) for each in measured(runs, folder / "push")]


def build_rows(runs: int, folder: Path) -> list[Row]:
    """100 MB in 5 layers: builds against `docker buildx build` and the classic builder, on the configured engine."""
    from tests.bench.build import measured

    return [Row(*each) for each in measured(runs, folder / "build")]


def time_to_know_rows(runs: int, folder: Path) -> list[Row]:
    """Deploys on ECS that cannot run: the time until a tool ends with the reason, against two tools that people use."""
    from tests.bench.time_to_know import measured

    return [Row(*each) for each in measured(runs, folder / "know")]


def main() -> None:
    """Measure, write and print; group names on the command line select groups, and the file's other rows are kept."""
    runs = int(os.environ.get("BENCH_RUNS", "5"))
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        groups: dict[str, Callable[[], list[Row]]] = {
            "import": lambda: [import_row(2 * runs)],
            "startup": lambda: [startup_row(runs, folder)],
            "engine": lambda: engine_rows(runs, folder),
            "runs": lambda: runs_rows(runs, folder),
            "fleet": lambda: fleet_rows(max(1, runs // 2), folder),
            "layer0": lambda: [layer0_row(4 * runs, folder)],
            "panel": lambda: panel_rows(4 * runs),
            "audit": lambda: audit_rows(runs, folder),
            "audit on S3": lambda: audit_on_s3_rows(runs, folder),
            "attest": lambda: attest_rows(runs, folder),
            "build": lambda: build_rows(runs, folder),
            "push": lambda: push_rows(max(2, runs // 2), folder),
            "store": lambda: store_rows(runs, folder),
            "walkthrough": lambda: walkthrough_rows(runs, folder),
            "walkthrough on ECS": lambda: ecs_walkthrough_rows(runs, folder),
            "time to know": lambda: time_to_know_rows(max(1, runs // 2), folder),
        }
        chosen = sys.argv[1:] or list(groups)
        if unknown := set(chosen) - groups.keys():
            raise SystemExit(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(groups)}")
        rows = [row for name in chosen for row in groups[name]()]
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    file = build / "bench.json"
    made_now = [asdict(row) for row in rows]
    names = {row.name for row in rows}
    standing = json.loads(file.read_text())["rows"] if sys.argv[1:] and file.exists() else []
    kept = [row for row in standing if row["name"] not in names]
    file.write_text(json.dumps({"rows": kept + made_now}, indent=1) + "\n")
    width = max(len(row.name) for row in rows)
    print(f"{'row':<{width}}{'ours':>13}{'other':>13}{'ratio':>8}{'aim':>7}  other")
    for row in rows:
        ours, other = (f"{value:.3f} {row.unit:<2}" for value in (row.ours, row.other))
        print(f"{row.name:<{width}}{ours:>13}{other:>13}{row.ratio:>8.3f}{row.aim:>7.3f}  {row.other_name}")


if __name__ == "__main__":
    main()
