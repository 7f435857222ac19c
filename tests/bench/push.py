"""400 MB in 5 layers to a registry: our push step against `docker push`, and our copy against `skopeo copy`.

Both sides use the engine that the docker command would ask; DOCKER_HOST chooses another. Our side is a worker that is
there already, as a notebook's kernel is; what is measured of either side is the client, since the engine is the same.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import docker

from ecr_widgets.sandbox import Sandbox

LAYERS, LAYER_BYTES = 5, 80_000_000
Measured = tuple[str, float, float, str, str, float, float, int]


class Cost(NamedTuple):
    """What one call of a client took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass
class Bench:
    """Two sandboxes on one engine, and both contestants."""

    near: Sandbox
    far: Sandbox
    folder: Path
    engine: docker.DockerClient
    worker: subprocess.Popen[str]
    environ: dict[str, str]
    made: int = 0

    @property
    def host(self) -> str:
        """The registry that is pushed to."""
        return str(self.near.status().registry_host)

    def new_image(self, name: str) -> str:
        """Layers that no registry has: half of each is random, half compresses well."""
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
        """One small layer on top of it."""
        self.made += 1
        context = self.folder / "small"
        context.mkdir(exist_ok=True)
        (context / "small").write_text(f"changed {self.made}\n")
        return self._build(name, context, [f"FROM {source}", "COPY small /small"])

    def _build(self, name: str, context: Path, lines: list[str]) -> str:
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        self.engine.images.build(path=str(context), tag=name, rm=True)
        return name

    def ours(self, *asked: str) -> Cost:
        """Have the worker do something."""
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        print(json.dumps(asked), file=self.worker.stdin, flush=True)
        answer = self.worker.stdout.readline()
        if not answer:
            raise SystemExit("our worker ended")
        return Cost(*json.loads(answer))

    def docker_push(self, source: str, repository: str, tag: str) -> Cost:
        """By Docker's own command, the name given first that it pushes by."""
        name = f"{self.host}/{repository}:{tag}"
        tagged, pushed = (
            self._command("docker", "tag", source, name),
            self._command("docker", "push", "--quiet", name),
        )
        return Cost(
            tagged.wall_s + pushed.wall_s, tagged.cpu_s + pushed.cpu_s, max(tagged.peak_mb, pushed.peak_mb)
        )

    def skopeo_copy(self, source: str, target: str) -> Cost:
        """From registry to registry."""
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
        started_s = time.perf_counter()
        child = subprocess.Popen(
            words, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert child.stdout is not None
        peaks: list[float] = []
        watch = threading.Thread(target=_watch, args=(child.pid, peaks))
        watch.start()
        told = child.stdout.read()
        watch.join()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        child.stdout.close()
        if child.returncode:
            raise SystemExit(f"{words[0]} ended with {child.returncode}: {told[-1000:]}")
        return Cost(time.perf_counter() - started_s, used.ru_utime + used.ru_stime, max(peaks, default=0.0))


def measured(runs: int, folder: Path) -> Iterator[Measured]:
    """The rows, each named after the engine's version and store."""
    folder.mkdir()
    with ExitStack() as stack:
        near = stack.enter_context(Sandbox(folder / "near"))
        far = stack.enter_context(Sandbox(folder / "far", docker_host=near.env()["DOCKER_HOST"]))
        environ = near.environ(dict(os.environ)) | {"DOCKER_CONFIG": str(folder / "docker")}
        _log_in(near, folder / "docker")
        engine = docker.DockerClient(base_url=near.env()["DOCKER_HOST"], timeout=600)
        stack.callback(engine.close)
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.push", json.dumps(far.env())],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(worker.wait)
        stack.callback(worker.stdin.close)
        bench = Bench(near, far, folder, engine, worker, environ)
        yield from _rows(bench, runs)
        for image in engine.images.list():
            if any("bench/" in tag for tag in image.tags):
                engine.images.remove(image.id, force=True)


def _rows(bench: Bench, runs: int) -> Iterator[Measured]:
    info = bench.engine.info()
    store = "containerd" if dict(info.get("DriverStatus") or ()).get("driver-type") else "graph driver"
    where = f"push, {info['ServerVersion'].split('.')[0]} {store}"
    sides = ("ours", "other")
    for side in sides:
        bench.ours("create", f"bench/{side}", *(f"bench/{side}{n}" for n in range(3)))

    def push(side: str, source: str, repository: str, tag: str) -> Cost:
        return (bench.ours if side == "ours" else bench.docker_push)(
            *(("push",) if side == "ours" else ()), source, repository, tag
        )

    def pairs(act: Callable[[str, int], Cost]) -> list[tuple[Cost, Cost]]:
        # Whoever is second finds a warmer machine, so they take turns.
        found = []
        for number in range(runs):
            order = sides if number % 2 == 0 else sides[::-1]
            cost = {side: act(side, number) for side in order}
            print(f"  {number + 1}/{runs}: {cost['ours']} against {cost['other']}", file=sys.stderr)
            found.append((cost["ours"], cost["other"]))
        return found

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

    firsts = pairs(first)
    yield _row(f"{where}: first", "docker tag and push", "s", 1.05, [(a.wall_s, b.wall_s) for a, b in firsts])
    yield _row(
        f"{where}: first, CPU of the client",
        "docker tag and push",
        "s",
        1.05,
        [(a.cpu_s, b.cpu_s) for a, b in firsts],
    )
    yield _row(
        f"{where}: first, memory",
        "docker tag and push",
        "MB",
        4.0,
        [(a.peak_mb, b.peak_mb) for a, b in firsts],
    )
    for name, act in (
        ("one small layer", small),
        ("nothing changed", nothing),
        ("three repositories", three),
    ):
        yield _row(
            f"{where}: {name}",
            "docker tag and push",
            "s",
            1.05,
            [(a.wall_s, b.wall_s) for a, b in pairs(act)],
        )
    if shutil.which("skopeo", path=bench.environ.get("PATH")) is None:
        print("  no skopeo: copies are not compared", file=sys.stderr)
        return
    far = str(bench.far.status().registry_host)
    for number in range(runs):
        bench.ours("create-far", *(f"bench/{side}-copy{number}" for side in sides))

    def copy(side: str, number: int) -> Cost:
        # Each copies what the other did not: the far registry has no layer of it.
        source, target = f"{bench.host}/bench/{side}:first{number}", f"{far}/bench/{side}-copy{number}:1"
        return bench.ours("copy", source, target) if side == "ours" else bench.skopeo_copy(source, target)

    copies = pairs(copy)
    yield _row(
        "copy, registry to registry", "skopeo copy", "s", 1.0, [(a.wall_s, b.wall_s) for a, b in copies]
    )
    yield _row("copy, CPU", "skopeo copy", "s", 1.0, [(a.cpu_s, b.cpu_s) for a, b in copies])
    yield _row("copy, memory", "skopeo copy", "MB", 4.0, [(a.peak_mb, b.peak_mb) for a, b in copies])


def _peak_mb(pid: int | str) -> float:
    """Most memory that it ever had; of a child, `ru_maxrss` tells what its parent had before it became itself."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)


def _watch(pid: int, peaks: list[float]) -> None:
    with suppress(OSError):
        # A process that has ended and was not asked for its end has no memory any more.
        while (peak := _peak_mb(pid)) > 0.0:
            peaks.append(peak)
            time.sleep(0.01)


def _row(name: str, other_name: str, unit: str, aim: float, found: list[tuple[float, float]]) -> Measured:
    return (
        name,
        round(statistics.median(a for a, _ in found), 3),
        round(statistics.median(b for _, b in found), 3),
        other_name,
        unit,
        round(statistics.median(a / max(b, 1e-6) for a, b in found), 3),
        aim,
        len(found),
    )


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
    """Our side: does what each line of standard input asks for, and answers with what it took."""
    from ecr_widgets.adapters.boto_ecr import BotoEcr
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.docker_engine import DockerEngine
    from ecr_widgets.adapters.registry import OciRegistry
    from ecr_widgets.model.image_reference import ImageReference
    from ecr_widgets.steps.copy_image import copy_image
    from ecr_widgets.steps.login import RegistrySession
    from ecr_widgets.steps.push_image import push_image

    near = BotoEcr()
    session = RegistrySession(near, SystemClock())
    host = session.token().registry
    os.environ.update(far_environ | {"DOCKER_HOST": os.environ["DOCKER_HOST"]})
    far = BotoEcr()
    there = RegistrySession(far, SystemClock())
    there.token()
    engine, registry = DockerEngine(), OciRegistry()
    engine.facts()

    def push(source: str, repository: str, tag: str) -> None:
        push_image(engine, registry, session, source, ImageReference(host, repository, tag=tag))

    def copy(source: str, target: str) -> None:
        copy_image(registry, session, ImageReference.parse(source), there, ImageReference.parse(target))

    def create(*names: str, where: Any = near) -> None:
        for name in names:
            where.create_repository(name, tags_immutable=False, scan_on_push=False)

    calls: dict[str, Callable[..., None]] = {
        "push": push,
        "copy": copy,
        "create": create,
        "create-far": lambda *names: create(*names, where=far),
    }
    for line in sys.stdin:
        name, *given = json.loads(line)
        before, started_s = time.process_time(), time.perf_counter()
        calls[name](*given)
        took_s, used_s = time.perf_counter() - started_s, time.process_time() - before
        print(
            json.dumps((took_s, used_s, _peak_mb("self"))),
            flush=True,
        )


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
