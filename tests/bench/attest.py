"""What it adds to a run to attach its seal, against the push of an image of 50 MB to the same registry.

The push is our step in a process that is there already, as a notebook's kernel is. The seal is attached as the engine does it
once a run has ended: in a process that has loaded the engine and has not talked to AWS yet, which is timed from the call on,
with the imports, the token and the requests that it takes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import docker

from ecr_widgets.sandbox import Sandbox
from tests.audit.attested import REPOSITORY, Attested
from tests.bench.costs import Cost, Measured, in_turn, peak_mb, row, serve, worker

_BYTES = 50_000_000


def measured(runs: int, folder: Path) -> Iterator[Measured]:
    """The row."""
    folder.mkdir()
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(folder / "sandbox"))
        environ = sandbox.environ(dict(os.environ)) | {"XDG_DATA_HOME": str(folder / "data")}
        engine = docker.DockerClient(base_url=sandbox.env()["DOCKER_HOST"], timeout=600)
        stack.callback(engine.close)
        ours = stack.enter_context(worker("tests.bench.attest", "work", str(folder), environ=environ))
        names = [f"bench/attest:{number}" for number in range(runs + 1)]
        for name in names:
            _build(engine, folder / "context", name)
        ours("push", names[0])

        def act(side: str, number: int) -> Cost:
            if side == "other":
                return ours("push", names[number + 1])
            ours("seal", f"run-{number}")
            return _attached(folder / "runs" / f"run-{number}.ipynb", environ)

        yield row("attest", "the push of 50 MB", 0.1, in_turn(act, runs))
        for name in names:
            engine.images.remove(name, force=True)


def _build(engine: docker.DockerClient, context: Path, name: str) -> None:
    """An image of one layer that no registry has: half of it is random, half compresses well."""
    context.mkdir(exist_ok=True)
    (context / "layer").write_bytes(os.urandom(_BYTES // 2) + b"and so on\n" * (_BYTES // 20))
    (context / "Dockerfile").write_text("FROM scratch\nCOPY layer /layer\n")
    engine.images.build(path=str(context), tag=name, rm=True)


def _attached(run: Path, environ: dict[str, str]) -> Cost:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.attest", "attach", run],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"the seal was not attached: {done.stderr[-2000:]}")
    return Cost(*json.loads(done.stdout))


def _attach(run: Path) -> None:
    """In a process of its own: attach the seal of a finished run, as the engine does."""
    import ecr_widgets.engine.own_door  # noqa: F401
    from ecr_widgets.audit.attaching import attach_finished_run
    from ecr_widgets.audit.registries import Registries

    used, started_s = os.times(), time.perf_counter()
    why_not = attach_finished_run(run, Registries, holds_secret=lambda _: False)
    took_s, now = time.perf_counter() - started_s, os.times()
    if why_not:
        raise SystemExit(why_not)
    print(json.dumps((took_s, sum(now[:2]) - sum(used[:2]), peak_mb("self"))))


def _work(folder: Path) -> None:
    """Our side of the push, and the runs that are sealed: does what each line of standard input asks for."""
    from ecr_widgets.adapters.boto_ecr import BotoEcr
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.docker_engine import DockerEngine
    from ecr_widgets.adapters.registry import OciRegistry
    from ecr_widgets.audit.keys import default_ring
    from ecr_widgets.model.image_reference import ImageReference
    from ecr_widgets.steps.push_image import PushImage
    from tests.fakes import World
    from tests.fakes.connections import FakeConnections, make_outside, perform

    ecr = BotoEcr()
    ecr.create_repository(REPOSITORY, tags_immutable=False, scan_on_push=False)
    to = FakeConnections(World())
    to.clock, to.ecr = SystemClock(), ecr  # type: ignore[assignment]
    to.engine, to.registry = DockerEngine(), OciRegistry()  # type: ignore[assignment]
    outside = make_outside(to)
    outside.session.token()
    to.engine.facts()
    here = Attested(to.registry, outside.session.token(), folder)
    here.ring = default_ring()
    pushed: list[ImageReference] = []

    def push(name: str) -> None:
        tag = name.rpartition(":")[2]
        pushed.append(perform(PushImage(name, repository=REPOSITORY, tag=f"t{tag}"), outside).image)

    def seal(run_id: str) -> None:
        here.seal(pushed[0], run_id)

    serve({"push": push, "seal": seal})


if __name__ == "__main__":
    {"work": _work, "attach": _attach}[sys.argv[1]](Path(sys.argv[2]))
