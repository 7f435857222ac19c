"""100 MB in 5 layers built: our step against `docker buildx build`, and without BuildKit against the classic `docker build`.

Both sides use the engine that the docker command would use; DOCKER_HOST selects another. Our side is a worker that is already
running, like a notebook's kernel; the engine's own work is the same for both, so the client makes the difference.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import docker

from ecr_widgets.adapters.build_tool import BuildTool, find_build_tool
from ecr_widgets.sandbox import Sandbox
from tests.bench.costs import Cost, Measured, Worker, in_turn, row, run_command, serve, worker

FILES, FILE_BYTES = 5, 20_000_000


@dataclass(frozen=True)
class Contest:
    """One builder, used by us and by Docker's own command."""

    ours: Worker
    command: tuple[str, ...]
    environ: dict[str, str]
    folder: Path

    def build(self, side: str) -> Cost:
        """Build that side's folder."""
        context = str(self.folder / side)
        if side == "ours":
            return self.ours("build", context, f"bench/{side}")
        return run_command(*self.command, "--tag", f"bench/{side}", context, environ=self.environ)

    def renew(self, side: str, number: int) -> None:
        """Write files that are in none of the engine's layers, and a small one that stays the same."""
        context = self.folder / side
        context.mkdir(exist_ok=True)
        lines = ["FROM scratch", f"LABEL bench={side}{number}"]
        for each in range(FILES):
            with (context / f"{each}").open("wb") as file:
                file.write(os.urandom(FILE_BYTES // 2))
                file.write(f"{side} {number} {each} and so on\n".encode() * (FILE_BYTES // 40))
            lines.append(f"COPY {each} /{each}")
        (context / "small").write_text("as it was\n")
        (context / "Dockerfile").write_text("\n".join([*lines, "COPY small /small"]) + "\n")


def measured(runs: int, folder: Path) -> Iterator[Measured]:
    """Return the rows, each named after the engine's version and store."""
    folder.mkdir()
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(folder / "sandbox"))
        config = folder / "docker"
        (config / "cli-plugins").mkdir(parents=True)
        environ = sandbox.environ(dict(os.environ))
        tool = find_build_tool(environ)
        if tool is not None and tool.is_plugin:
            (config / "cli-plugins" / "docker-buildx").symlink_to(tool.path)
        environ["DOCKER_CONFIG"] = str(config)
        engine = docker.DockerClient(base_url=sandbox.env()["DOCKER_HOST"], timeout=600)
        stack.callback(engine.close)
        info = engine.info()
        store = "containerd" if dict(info.get("DriverStatus") or ()).get("driver-type") else "graph driver"
        where = f"build, {info['ServerVersion'].split('.')[0]} {store}"
        for name, command, variables in _others(tool):
            own = folder / variables["DOCKER_BUILDKIT"]
            own.mkdir()
            ours = worker("tests.bench.build", name, environ=environ)
            contest = Contest(stack.enter_context(ours), command, environ | variables, own)
            yield from _rows(contest, f"{where}, {name}", " ".join(command[:3]), runs)
        for image in engine.images.list():
            if any("bench/" in tag for tag in image.tags):
                engine.images.remove(str(image.id), force=True)


def _others(tool: BuildTool | None) -> Iterator[tuple[str, tuple[str, ...], dict[str, str]]]:
    if tool is not None:
        plugin = ("docker", "buildx", "build", "--load", "--provenance=false", "--progress=quiet")
        yield (
            "BuildKit",
            plugin if tool.is_plugin else ("docker", "build", "--quiet"),
            {"DOCKER_BUILDKIT": "1"},
        )
    yield "classic", ("docker", "build", "--quiet"), {"DOCKER_BUILDKIT": "0"}


def _rows(contest: Contest, where: str, other: str, runs: int) -> Iterator[Measured]:
    def new(side: str, number: int) -> Cost:
        contest.renew(side, number)
        return contest.build(side)

    def small(side: str, number: int) -> Cost:
        (contest.folder / side / "small").write_text(f"changed {number}\n")
        return contest.build(side)

    firsts = in_turn(new, runs)
    yield row(f"{where}: new", other, 1.05, firsts)
    yield row(f"{where}: new, CPU of the client", other, 1.05, firsts, "cpu_s")
    yield row(f"{where}: new, memory", other, 4.0, firsts, "peak_mb")
    yield row(f"{where}: one small file", other, 1.05, in_turn(small, runs))
    yield row(f"{where}: nothing changed", other, 1.05, in_turn(lambda side, _: contest.build(side), runs))


def work(builder: str) -> None:
    """Our side, with BuildKit or without."""
    from ecr_widgets.adapters.boto_ecr import BotoEcr
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.docker_engine import DockerEngine
    from ecr_widgets.steps.build_image import BuildImage
    from tests.fakes import World
    from tests.fakes.connections import FakeConnections, make_outside, perform

    to = FakeConnections(World())
    to.clock, to.ecr = SystemClock(), BotoEcr()  # type: ignore[assignment]
    to.engine = DockerEngine()  # type: ignore[assignment]
    to.engine.facts()
    outside = make_outside(to)

    def build(context: str, name: str) -> None:
        perform(BuildImage(context, name=name), outside)

    finds_none = patch("ecr_widgets.adapters.docker_engine.find_build_tool", lambda _: None)
    with finds_none if builder == "classic" else nullcontext():
        serve({"build": build})


if __name__ == "__main__":
    work(sys.argv[1])
