"""Dockerfiles as folders under `tests/dockerfiles`: each image is what its Dockerfile says, or its build is refused first.

A folder holds `context/`, `verify` (run by the image's own shell) and, where there is something to say, `case.json`:
`dockerfile` and `wishes` for the build; `engine`, the first whose BuildKit knows the syntax, which the classic builder never
does; `store`, the one it takes; `podman`, `refused` or the first version that takes it; `command`, the same of a docker
command with BuildKit's client in it; `frontend`, whether one is fetched from elsewhere; `architectures` of the image where it
has no shell; `modes` that git does not keep; `base`, whether `@BASE@` or the argument BASE stands for an image of the
account's own registry.

Any engine that DOCKER_HOST names will do, with the buildx plug-in of this user or machine or without.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.adapters.build_tool import BuildTool, find_build_tool
from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.connections import connect
from ecr_widgets.errors import BuildError, BuildRefused
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.engine_facts import EngineFacts, ImageStore
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.settings.engine_address import docker_folder

FOLDERS = Path(__file__).parents[1] / "dockerfiles"
SECRET = "secret-of-the-case"
SERVED = b"served\n"


class Case:
    """One folder, copied to where it is built."""

    def __init__(self, name: str, folder: Path) -> None:
        self.image = f"dockerfiles/{name}"
        self.folder = folder
        shutil.copytree(FOLDERS / name, folder, symlinks=True)
        self.verify = (folder / "verify").read_text()
        settings = folder / "case.json"
        self.settings: dict[str, Any] = json.loads(settings.read_text()) if settings.exists() else {}
        self.dockerfile = self.settings.get("dockerfile", "Dockerfile")
        self.wishes: dict[str, Any] = self.settings.get("wishes", {})
        for file, mode in self.settings.get("modes", {}).items():
            (self.context / file).chmod(mode)

    @property
    def context(self) -> Path:
        return self.folder / "context"

    def takes(self, name: str, value: str) -> None:
        """Give the Dockerfile a value: as an argument, and in the place of its mark."""
        file = self.context / self.dockerfile
        if file.exists():
            file.write_text(file.read_text().replace(f"@{name}@", value))
            if f"ARG {name}" in file.read_text():
                self.wishes = {
                    **self.wishes,
                    "build_args": {**self.wishes.get("build_args", {}), name: value},
                }

    def is_refused(self, engine: EngineFacts, tool: BuildTool | None) -> bool:
        """Whether nobody there can do what it asks."""
        if engine.store is ImageStore.PODMAN:
            since = self.settings.get("podman")
            return since == "refused" or (since is not None and not engine.is_at_least(*since))
        if self.settings.get("store") == "containerd" and not engine.ids_are_manifests:
            return True
        if self.wishes.get("provenance") and not engine.pushes_indexes:
            return True
        if tool is None:
            return bool(self.settings.get("engine") or self.settings.get("store"))
        if not tool.is_plugin and self.settings.get("command") == "refused":
            return True
        return int(engine.version.split(".")[0]) < self.settings.get("engine", 0) and not self.settings.get(
            "frontend"
        )

    def built_by_the_plug_in(self, tool: BuildTool, token: AuthorizationToken) -> str | None:
        """Id of what the plug-in by itself makes of it after a `docker login`, None where it fails."""
        auth = base64.b64encode(f"{token.user}:{token.password}".encode()).decode()
        config = self.folder / "logged-in"
        config.mkdir()
        (config / "config.json").write_text(json.dumps({"auths": {token.registry: {"auth": auth}}}))
        wishes = self.wishes
        words = [tool.path, "build", "--builder=default", "--load", "--provenance=false", "--quiet"]
        words += [f"--tag={self.image}-reference", f"--file={self.context / self.dockerfile}"]
        for name, value in (("target", wishes.get("target")), ("platform", wishes.get("platform"))):
            words += [f"--{name}={value}"] if value else []
        words += [f"--build-arg={name}={value}" for name, value in wishes.get("build_args", {}).items()]
        words += [f"--label={name}={value}" for name, value in wishes.get("labels", {}).items()]
        words += [f"--secret=id={name},env={value}" for name, value in wishes.get("secrets", {}).items()]
        environ = os.environ | {"DOCKER_CONFIG": str(config)}
        done = subprocess.run([*words, self.context], env=environ, capture_output=True, check=False)
        return None if done.returncode else DockerEngine().find_image_id(f"{self.image}-reference")


@pytest.fixture
def engine(sandbox_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerEngine]:
    """The engine under the sandbox, with the plug-in of whoever runs the tests."""
    plugins = docker_folder(os.environ) / "cli-plugins"
    for name, value in sandbox_environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    own = Path(sandbox_environ["DOCKER_CONFIG"])
    own.mkdir(exist_ok=True)
    if plugins.is_dir():
        (own / "cli-plugins").symlink_to(plugins)
    monkeypatch.setenv("CASE_SECRET", SECRET)
    made = DockerEngine()
    yield made
    made.close()


@pytest.fixture
def kit(engine: DockerEngine) -> NotebookKit:
    return connect(sink=QuietSink())


@pytest.fixture
def address() -> Iterator[str]:
    """A server with one file."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(SERVED)))
            self.end_headers()
            self.wfile.write(SERVED)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDERS.iterdir()))
def test_the_image_is_what_its_dockerfile_says_or_the_build_is_refused(
    name: str, kit: NotebookKit, engine: DockerEngine, address: str, tmp_path: Path
) -> None:
    """What the plug-in by itself makes of it is the same image, and building again changes nothing."""
    case = Case(name, tmp_path / name)
    case.takes("ADDRESS", address)
    if case.settings.get("base"):
        case.takes("BASE", private_base(kit, engine, tmp_path))
    facts = engine.facts()
    tool = find_build_tool(os.environ) if facts.takes_buildkit else None

    def build() -> Any:
        return kit.build_image(case.context, name=case.image, dockerfile=case.dockerfile, **case.wishes)

    api = engine._connection.client.api
    try:
        if case.is_refused(facts, tool):
            with pytest.raises(BuildRefused, match=r"refused before it began|set-user-ID bit"):
                build()
            assert engine.find_image_id(case.image) is None
            return
        has_plugin = tool is not None and tool.is_plugin
        token = BotoEcr().authorization_token()
        reference = case.built_by_the_plug_in(tool, token) if tool and has_plugin else None
        if tool and reference is None and (has_plugin or case.settings.get("frontend")):
            assert case.settings.get("frontend"), "the plug-in itself fails"
            with pytest.raises(BuildError, match=r"docker/dockerfile|frontend\.example"):
                build()
            return
        built = build()
        assert built.image_id == engine.find_image_id(case.image)
        # Provenance contains times, so no two builds with it make the same index.
        assert reference is None or built.image_id == reference or case.wishes.get("provenance")
        # Podman before 5.6 rebuilds a step with a mounted stage every time.
        is_cached = facts.takes_buildkit or facts.is_at_least(5, 6) or name != "mount-bind"
        assert build().changed is not is_cached
        check(case, engine, built.image_id)
    finally:
        for image in (case.image, f"{case.image}-reference"):
            with suppress(Exception):
                api.remove_image(image, force=True)


def check(case: Case, engine: DockerEngine, image_id: str) -> None:
    """Run `verify` in the image, or look at what it is for."""
    client = engine._connection.client
    saved = b"".join(client.api.get_image(case.image))
    if case.verify:
        client.containers.run(
            image_id,
            entrypoint=["/bin/sh", "-euc", case.verify],
            command=[],
            network_mode="none",
            environment={"SECRET_DIGEST": hashlib.sha256(SECRET.encode()).hexdigest()},
            remove=True,
        )
    if wanted := case.settings.get("architectures"):
        assert architectures(saved) == sorted(wanted)
    assert not any(SECRET.encode() in each for each in contents(saved))
    labels = client.api.inspect_image(image_id)["Config"].get("Labels") or {}
    assert case.wishes.get("labels", {}).items() <= labels.items()


def contents(saved: bytes) -> Iterator[bytes]:
    """Everything in a saved image, layers unpacked."""
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            content = file.read() if file else b""
            yield gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def architectures(saved: bytes) -> list[str]:
    """Those of the configurations in a saved image."""
    found = set()
    for content in contents(saved):
        with suppress(ValueError):
            read = json.loads(content)
            if isinstance(read, Mapping) and "rootfs" in read:
                found.add(str(read["architecture"]))
    return sorted(found)


def private_base(kit: NotebookKit, engine: DockerEngine, folder: Path) -> str:
    """An image in the account's own registry, which the engine does not have."""
    (folder / "base").mkdir()
    (folder / "base/Dockerfile").write_text("FROM busybox\nRUN echo base > /base\n")
    kit.create_repository("dockerfiles/base")
    built = kit.build_image(folder / "base", name="dockerfiles/base-local")
    pushed = kit.push_image(built, repository="dockerfiles/base", tag="1")
    for image in (str(pushed.image.with_tag("1")), str(pushed.image), "dockerfiles/base-local"):
        with suppress(Exception):
            engine._connection.client.api.remove_image(image, force=True)
    return str(pushed.image.with_tag("1"))
