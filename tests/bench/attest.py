"""The time that attaching its seal adds to a run, against the push of an image of 50 MB to the same registry.

The first row is the switch: a run by our command that pushes such an image, with ECR_WIDGETS_ATTEST=1 and without it, each to
its very end, alternately. The difference is compared with the push recorded in the run without it. The second row is the same
work in a process that has loaded nothing for it, as `ecr-widgets attest` does it, including imports, token and requests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import docker

from ecr_widgets.model.evidence import ATTEST_VARIABLE
from ecr_widgets.sandbox import Sandbox
from tests.audit.attested import REPOSITORY
from tests.bench.costs import Cost, Measured, Pairs, peak_mb, row

_BYTES = 50_000_000
_CELLS = (
    'image: str = ""  # of the engine\ntag: str = ""  # to push it as',
    "from ecr_widgets import connect\n\nkit = connect()",
    f'kit.create_repository("{REPOSITORY}")',
    f'kit.push_image(image, repository="{REPOSITORY}", tag=tag)',
)


def measured(runs: int, folder: Path) -> Iterator[Measured]:
    """Return both rows."""
    folder.mkdir()
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(folder / "sandbox"))
        environ = sandbox.environ(dict(os.environ)) | {
            "XDG_DATA_HOME": str(folder / "data"),
            "ECR_WIDGETS_RUNS": str(folder / "runs"),
        }
        engine = docker.DockerClient(base_url=sandbox.env()["DOCKER_HOST"], timeout=600)
        stack.callback(engine.close)
        book = folder / "push.ipynb"
        book.write_text(json.dumps(_notebook()))

        def run(tag: str, switch: str) -> tuple[Cost, Cost, Path]:
            name = f"bench/attest:{tag}"
            _build(engine, folder / "context", name)
            try:
                return _run(book, name, tag, environ | {ATTEST_VARIABLE: switch})
            finally:
                engine.images.remove(name, force=True)

        run("first", "1")
        added: Pairs = []
        alone: Pairs = []
        # The difference of two runs varies more than either, so there are twice as many.
        for number in range(2 * runs):
            order = ("0", "1") if number % 2 else ("1", "0")
            taken = {switch: run(f"{number}-{switch}", switch) for switch in order}
            (without, push, saved), (with_it, _, _) = taken["0"], taken["1"]
            cost = Cost(*(a - b for a, b in zip(with_it, without, strict=True)))
            added.append((cost, push))
            alone.append((_attached(saved, environ), push))
            print(f"  {number + 1}/{2 * runs}: {cost.wall_s:.3f} and {alone[-1][0].wall_s:.3f} s, {push.wall_s:.3f} s", file=sys.stderr)  # fmt: skip
        yield row("attest", "the push of 50 MB", 0.1, added)
        yield row("attest, afterwards", "the push of 50 MB", 0.1, alone)


def _notebook() -> dict[str, object]:
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"cell{number}",
            "metadata": {} if number else {"tags": ["parameters"]},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(_CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _build(engine: docker.DockerClient, context: Path, name: str) -> None:
    """Build an image of one layer that no registry has: half of it is random, half compresses well."""
    context.mkdir(exist_ok=True)
    (context / "layer").write_bytes(os.urandom(_BYTES // 2) + b"and so on\n" * (_BYTES // 20))
    (context / "Dockerfile").write_text("FROM scratch\nCOPY layer /layer\n")
    engine.images.build(path=str(context), tag=name, rm=True)


def _run(book: Path, image: str, tag: str, environ: dict[str, str]) -> tuple[Cost, Cost, Path]:
    """Run our command; return what it took, what the push in it took, and where the run is saved."""
    command = Path(sys.executable).with_name("ecr-widgets")
    words: list[str | Path] = [command, "run", book, "-p", "image", image, "-p", "tag", tag, "--json"]
    used, started_s = os.times(), time.perf_counter()
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    took_s, now = time.perf_counter() - started_s, os.times()
    told = json.loads(done.stdout or "{}")
    if done.returncode or told.keys() & {"unsealed", "unattached"}:
        raise SystemExit(f"the run was not attached: {told} {done.stderr[-2000:]}")
    began_at, ended_at = (
        datetime.fromisoformat(told["steps"][-1][each]) for each in ("started_at", "ended_at")
    )
    cpu_s = now.children_user + now.children_system - used.children_user - used.children_system
    push_s = (ended_at - began_at).total_seconds()
    return Cost(took_s, cpu_s, 0.0), Cost(push_s, 0.0, 0.0), Path(told["notebook"])


def _attached(run: Path, environ: dict[str, str]) -> Cost:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.attest", run],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"the seal was not attached: {done.stderr[-2000:]}")
    return Cost(*json.loads(done.stdout))


def _attach(run: Path) -> None:
    """In a process of its own: attach the seal of a finished run."""
    import ecr_widgets.engine.own_door  # noqa: F401
    from ecr_widgets.audit.attaching import attach_finished_run
    from ecr_widgets.audit.registries import Registries

    used, started_s = os.times(), time.perf_counter()
    why_not = attach_finished_run(run, Registries, holds_secret=lambda _: False)
    took_s, now = time.perf_counter() - started_s, os.times()
    if why_not:
        raise SystemExit(why_not)
    print(json.dumps((took_s, sum(now[:2]) - sum(used[:2]), peak_mb("self"))))


if __name__ == "__main__":
    _attach(Path(sys.argv[1]))
