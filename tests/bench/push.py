"""400 MB in 5 layers to a registry: our push step against `docker push`, and our copy against `skopeo copy`.

Both sides use the engine that the docker command would use; DOCKER_HOST selects another. Our side is a worker that is already
running, like a notebook's kernel; the engine is the same for both, so the client is measured.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from ecr_widgets.sandbox import Sandbox
from tests.bench.costs import SIDES, Cost, Measured, Worker, in_turn, row, run_command, serve, worker

LAYERS, LAYER_BYTES = 5, 80_000_000


@dataclass
class Bench:
    """Two sandboxes on one engine, and both contestants."""

    near: Sandbox
    far: Sandbox
    folder: Path
    engine: docker.DockerClient
    ours: Worker
    environ: dict[str, str]
    made: int = 0

    @property
    def host(self) -> str:
        """The host of the registry that is pushed to."""
        return str(self.near.status().registry_host)

    def new_image(self, name: str) -> str:
        """Make layers that no registry has: half of each is random, half compresses well."""
        self.made += 1
        context = self.folder / "context"
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir()
        lines = ["FROM scratch"]
        for number in range(LAYERS):
            with (context / f"{number}").open("wb") as file:
                file.write(os.urandom(LAYER_BYTES // 2))
                file.write(f"{self.made} {number} and so on\n".encode() * (LAYER_BYTES // 40))
            lines.append(f"COPY {number} /{number}")
        return self._build(name, context, lines)

    def changed(self, name: str, source: str) -> str:
        """Add one small layer on top."""
        self.made += 1
        context = self.folder / "small"
        context.mkdir(exist_ok=True)
        (context / "small").write_text(f"changed {self.made}\n")
        return self._build(name, context, [f"FROM {source}", "COPY small /small"])

    def _build(self, name: str, context: Path, lines: list[str]) -> str:
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        self.engine.images.build(path=str(context), tag=name, rm=True)
        return name

    def docker_push(self, source: str, repository: str, tag: str) -> Cost:
        """Push with Docker's own command, after tagging the image with the name to push."""
        name = f"{self.host}/{repository}:{tag}"
        tagged, pushed = (
            self._command("docker", "tag", source, name),
            self._command("docker", "push", "--quiet", name),
        )
        return Cost(
            tagged.wall_s + pushed.wall_s, tagged.cpu_s + pushed.cpu_s, max(tagged.peak_mb, pushed.peak_mb)
        )

    def skopeo_copy(self, source: str, target: str) -> Cost:
        """Copy from registry to registry."""
        passwords = [_password(each) for each in (self.near, self.far)]
        return self._command(
            *("skopeo", "--insecure-policy", "copy", "--all", "--quiet", "--src-tls-verify=false"),
            *(
                "--dest-tls-verify=false",
                "--src-creds",
                f"AWS:{passwords[0]}",
                "--dest-creds",
                f"AWS:{passwords[1]}",
            ),
            *(f"docker://{source}", f"docker://{target}"),
        )

    def _command(self, *words: str) -> Cost:
        return run_command(*words, environ=self.environ)


def measured(runs: int, folder: Path) -> Iterator[Measured]:
    """Return the rows, each named after the engine's version and store."""
    folder.mkdir()
    with ExitStack() as stack:
        near = stack.enter_context(Sandbox(folder / "near"))
        far = stack.enter_context(Sandbox(folder / "far", docker_host=near.env()["DOCKER_HOST"]))
        environ = near.environ(dict(os.environ)) | {"DOCKER_CONFIG": str(folder / "docker")}
        _log_in(near, folder / "docker")
        engine = docker.DockerClient(base_url=near.env()["DOCKER_HOST"], timeout=600)
        stack.callback(engine.close)
        ours = stack.enter_context(worker("tests.bench.push", json.dumps(far.env()), environ=environ))
        bench = Bench(near, far, folder, engine, ours, environ)
        yield from _rows(bench, runs)
        for image in engine.images.list():
            if any("bench/" in tag for tag in image.tags):
                engine.images.remove(str(image.id), force=True)


def _rows(bench: Bench, runs: int) -> Iterator[Measured]:
    info = bench.engine.info()
    store = "containerd" if dict(info.get("DriverStatus") or ()).get("driver-type") else "graph driver"
    where = f"push, {info['ServerVersion'].split('.')[0]} {store}"
    for side in SIDES:
        bench.ours("create", f"bench/{side}", *(f"bench/{side}{n}" for n in range(3)))

    def push(side: str, source: str, repository: str, tag: str) -> Cost:
        if side == "ours":
            return bench.ours("push", source, repository, tag)
        return bench.docker_push(source, repository, tag)

    def first(side: str, number: int) -> Cost:
        return push(side, bench.new_image(f"bench/{side}"), f"bench/{side}", f"first{number}")

    def small(side: str, number: int) -> Cost:
        return push(
            side, bench.changed(f"bench/{side}:small", f"bench/{side}"), f"bench/{side}", f"small{number}"
        )

    def nothing(side: str, number: int) -> Cost:
        return push(side, f"bench/{side}:small", f"bench/{side}", f"small{runs - 1}")

    def three(side: str, number: int) -> Cost:
        costs = [push(side, f"bench/{side}", f"bench/{side}{n}", f"three{number}") for n in range(3)]
        return Cost(sum(c.wall_s for c in costs), sum(c.cpu_s for c in costs), max(c.peak_mb for c in costs))

    other = "docker tag and push"
    firsts = in_turn(first, runs)
    yield row(f"{where}: first", other, 1.05, firsts)
    yield row(f"{where}: first, CPU of the client", other, 1.05, firsts, "cpu_s")
    yield row(f"{where}: first, memory", other, 4.0, firsts, "peak_mb")
    for name, act in (
        ("one small layer", small),
        ("nothing changed", nothing),
        ("three repositories", three),
    ):
        yield row(f"{where}: {name}", other, 1.05, in_turn(act, runs))
    if shutil.which("skopeo", path=bench.environ.get("PATH")) is None:
        print("  no skopeo: copies are not compared", file=sys.stderr)
        return
    far = str(bench.far.status().registry_host)
    for number in range(runs):
        bench.ours("create-far", *(f"bench/{side}-copy{number}" for side in SIDES))

    def copy(side: str, number: int) -> Cost:
        # Each side copies layers that the far registry does not have.
        source, target = f"{bench.host}/bench/{side}:first{number}", f"{far}/bench/{side}-copy{number}:1"
        return bench.ours("copy", source, target) if side == "ours" else bench.skopeo_copy(source, target)

    copies = in_turn(copy, runs)
    yield row("copy, registry to registry", "skopeo copy", 1.0, copies)
    yield row("copy, CPU", "skopeo copy", 1.0, copies, "cpu_s")
    yield row("copy, memory", "skopeo copy", 4.0, copies, "peak_mb")


def _password(sandbox: Sandbox) -> str:
    from ecr_widgets.adapters.boto_ecr import BotoEcr

    before = dict(os.environ)
    os.environ.update(sandbox.env())
    try:
        return BotoEcr().authorization_token().password
    finally:
        os.environ.clear()
        os.environ.update(before)


def _log_in(sandbox: Sandbox, folder: Path) -> None:
    login = base64.b64encode(f"AWS:{_password(sandbox)}".encode()).decode()
    folder.mkdir()
    host = str(sandbox.status().registry_host)
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))


def work(far_environ: dict[str, str]) -> None:
    """Our side: do what each line of standard input asks for, and answer with what it took."""
    from ecr_widgets.adapters.boto_ecr import BotoEcr
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.docker_engine import DockerEngine
    from ecr_widgets.adapters.registry import OciRegistry
    from ecr_widgets.model.image_reference import ImageReference
    from ecr_widgets.steps.copy_image import CopyImage
    from ecr_widgets.steps.push_image import PushImage
    from tests.fakes import World
    from tests.fakes.connections import FakeConnections, make_outside, perform

    near = BotoEcr()
    near.authorization_token()
    os.environ.update(far_environ | {"DOCKER_HOST": os.environ["DOCKER_HOST"]})
    far = BotoEcr()
    to = FakeConnections(World())
    to.clock, to.ecr = SystemClock(), near  # type: ignore[assignment]
    to.engine, to.registry = DockerEngine(), OciRegistry()  # type: ignore[assignment]
    to.ecr_of = lambda **_: far  # type: ignore[assignment,method-assign]
    outside = make_outside(to)
    outside.session.token()
    outside.session_of("far", "").token()
    to.engine.facts()

    def push(source: str, repository: str, tag: str) -> None:
        perform(PushImage(source, repository=repository, tag=tag), outside)

    def copy(source: str, target: str) -> None:
        asked, made = ImageReference.parse(source), ImageReference.parse(target)
        step = CopyImage(
            asked.repository,
            asked.tag or "",
            to_repository=made.repository,
            to_tag=made.tag or "",
            to_profile="far",
        )
        perform(step, outside)

    def create(*names: str, where: Any = near) -> None:
        for name in names:
            where.create_repository(name, tags_immutable=False, scan_on_push=False)

    serve(
        {
            "push": push,
            "copy": copy,
            "create": create,
            "create-far": lambda *names: create(*names, where=far),
        }
    )


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
