"""What a sandbox removes from an engine that was there before it, and what it leaves."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from ecr_widgets.errors import EngineError
from ecr_widgets.sandbox import removal
from ecr_widgets.sandbox.busybox import LABEL
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.sandbox.processes import ProcessIdentity
from ecr_widgets.sandbox.removal import find_names, remove_sandbox, still_held
from ecr_widgets.sandbox.state import Addresses, Keys, Phase, SandboxState
from tests.unit.adapters.scripted import Request, answering, http

REGISTRY = "127.0.0.1:7000"
BASE = "sha256:" + "b" * 64


@dataclass
class Held:
    """An engine that answers as Podman does and records what is removed."""

    docker_host: str = ""
    images: list[dict[str, Any]] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=lambda: ["c0ffee"])
    broken: bool = False
    in_use: set[str] = field(default_factory=set)
    refused_first: set[str] = field(default_factory=set)
    """What it removes only when it is asked for the second time."""

    def add(self, image_id: str, *names: str, labels: dict[str, str] | None = None) -> None:
        digests = [f"{name.rpartition(':')[0]}@sha256:{'d' * 64}" for name in names]
        self.images.append(
            {"Id": image_id, "RepoTags": list(names) or None, "RepoDigests": digests, "Labels": labels}
        )

    def answer(self, request: Request) -> bytes:
        path, _, query = request.target.partition("?")
        path = re.sub(r"^/v[0-9.]+", "", path)
        if path == "/images/json":
            return http(200, b"" if "digests=1" in query else json.dumps(self.images).encode())
        if request.method == "DELETE":
            name = unquote(path).partition("/")[2].partition("/")[2]
            assert path.startswith("/images/") or name in self.killed, "waits ten seconds for its end"
            if self.broken:
                return http(500, b'{"message": "no space left on device"}')
            if name in self.in_use:
                return http(409, b'{"message": "conflict"}')
            if name in self.refused_first:
                self.refused_first.remove(name)
                return http(409, b'{"message": "removal is already in progress"}')
            self.removed.append(name)
            self.containers = [each for each in self.containers if each != name]
            self.images = [each for each in map(_without(name), self.images) if each is not None]
        elif path.endswith("/kill"):
            self.killed.append(path.split("/")[2])
        known = {
            "/version": b'{"ApiVersion": "1.41"}',
            "/_ping": b"OK",
            "/containers/json": json.dumps([{"Id": each} for each in self.containers]).encode(),
            "/volumes": b'{"Volumes": null}',
        }
        return http(200, known.get(path, b"[]"))


def _without(name: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """Make what an engine still has of an image after a name, or the image itself, was removed."""

    def cut(image: dict[str, Any]) -> dict[str, Any] | None:
        left = [each for each in image["RepoTags"] or () if each != name]
        is_last = not left and bool(image["RepoTags"])
        return None if name == image["Id"] or is_last else {**image, "RepoTags": left or None}

    return cut


@pytest.fixture
def engine() -> Iterator[Held]:
    """An engine that holds nothing yet."""
    held = Held()
    with answering(held.answer) as server:
        held.docker_host = f"tcp://{server.host}"
        yield held


def state_on(engine: Held, *, loaded_image: str | None = BASE) -> SandboxState:
    """Return the state of a sandbox that uses the engine."""
    return SandboxState(
        sandbox_id="ab12",
        phase=Phase.UP,
        supervisor=ProcessIdentity(1, 1, "boot"),
        started_at="2026-11-26T00:00:00Z",
        keys=Keys(access_key_id="id", secret_access_key="secret", layer0_token="token"),
        docker_host=engine.docker_host,
        loaded_image=loaded_image,
        addresses=Addresses(
            api_url="http://127.0.0.1:1", registry_host=REGISTRY, layer0_url="http://127.0.0.1:2"
        ),
    )


def removed(engine: Held, folder: Path, **state: Any) -> set[str]:
    """Return the names of the images that a removal deletes, without those by digest."""
    remove_sandbox(SandboxFolder(folder), state_on(engine, **state))
    return {name for name in engine.removed if "@" not in name} - {"c0ffee"}


@pytest.mark.parametrize(
    "name", ["busybox:latest", "localhost/busybox:latest", "docker.io/library/busybox:latest"]
)
def test_the_base_image_goes_by_whatever_name_it_was_given(engine: Held, tmp_path: Path, name: str) -> None:
    """The base image is removed under whatever name Podman gave it; a user's own image of that name stays."""
    engine.add(BASE, name, "mine/copy:1", labels=LABEL)
    engine.add("sha256:1", "example.com/busybox:latest")
    assert removed(engine, tmp_path) == {name}


def test_containers_are_killed_before_they_are_removed(engine: Held, tmp_path: Path) -> None:
    """Containers are killed before they are removed."""
    remove_sandbox(SandboxFolder(tmp_path), state_on(engine))
    assert (engine.killed, engine.removed) == (["c0ffee"], ["c0ffee"])


def test_what_was_built_on_the_base_and_pushed_goes_with_all_names(engine: Held, tmp_path: Path) -> None:
    """A pushed image on the base is removed with all names, an untagged one too; of other images only pushed names are."""
    engine.add("sha256:1", "docker.io/xfra/wait:latest", f"{REGISTRY}/xfra-wait:1", labels=LABEL)
    engine.add("sha256:2", labels=LABEL)
    engine.add("sha256:3", "mine:1", labels=LABEL)
    engine.add("sha256:4", "mine:2", f"{REGISTRY}/mine:2")
    engine.add("sha256:5", "127.0.0.1:70001/mine:3")
    engine.add("sha256:6")
    assert removed(engine, tmp_path) == {
        *("docker.io/xfra/wait:latest", f"{REGISTRY}/xfra-wait:1", "sha256:2", f"{REGISTRY}/mine:2")
    }


def test_untagged_images_on_a_base_of_others_stay(engine: Held, tmp_path: Path) -> None:
    """Untagged images stay if another sandbox loaded the base image."""
    engine.add("sha256:2", labels=LABEL)
    assert removed(engine, tmp_path, loaded_image=None) == set()


def test_what_stays_of_the_pushed_is_named(engine: Held, tmp_path: Path) -> None:
    """After a removal the names that stayed are known: of pushed images that the sandbox has not built, and of those in use."""
    engine.add("sha256:1", "xfra/wait:latest", f"{REGISTRY}/xfra-wait:1")
    engine.add("sha256:2", "built:1", f"{REGISTRY}/built:1", labels=LABEL)
    engine.add("sha256:3", "mine:1")
    engine.add("sha256:4", "used:1", f"{REGISTRY}/used:1", labels=LABEL)
    engine.add(BASE, "busybox:latest", labels=LABEL)
    engine.in_use = {"used:1", "busybox:latest"}
    names = find_names(state_on(engine))
    removed(engine, tmp_path)
    assert still_held(state_on(engine), names) == ["busybox:latest", "used:1", "xfra/wait:latest"]


def test_what_lost_its_name_in_the_registry_is_still_removed(engine: Held, tmp_path: Path) -> None:
    """An image goes with all its names even if the engine removes the one in the registry first, and the other later."""
    engine.add("sha256:1", f"{REGISTRY}/app:1", "app:1", labels=LABEL)
    engine.refused_first = {"app:1"}
    assert removed(engine, tmp_path) == {f"{REGISTRY}/app:1", "app:1"}


def test_a_dead_engine_keeps_what_it_keeps() -> None:
    """For an engine that does not answer, no kept names are reported and nothing fails."""
    assert find_names(state_on(Held("tcp://127.0.0.1:1"))) == []


def test_what_is_removed_only_later_is_waited_for(engine: Held, tmp_path: Path) -> None:
    """A container that the engine does not remove at once is asked for again, and its image then goes as well."""
    engine.add("sha256:1", f"{REGISTRY}/app:1", labels=LABEL)
    engine.refused_first = {"c0ffee"}
    assert removed(engine, tmp_path) == {f"{REGISTRY}/app:1"}
    assert engine.containers == []


def test_an_engine_that_cannot_remove_is_told_and_asked_again(engine: Held, tmp_path: Path) -> None:
    """If the engine fails while it removes, that is an error, the state stays, and the next removal does the rest."""
    folder = SandboxFolder(tmp_path)
    folder.state_file.write_text("{}")
    engine.add("sha256:1", f"{REGISTRY}/app:1", labels=LABEL)
    engine.containers, engine.broken = [], True
    with pytest.raises(EngineError, match=r"no space left on device.*sandbox down"):
        remove_sandbox(folder, state_on(engine))
    assert folder.state_file.exists()
    engine.broken = False
    assert removed(engine, tmp_path) == {f"{REGISTRY}/app:1"}
    assert not folder.state_file.exists()


def test_a_slow_engine_is_not_taken_for_a_dead_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that listens and does not answer in time is an error; one that has ended is none."""
    monkeypatch.setattr(removal, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        held = Held(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(EngineError, match="does not answer"):
            remove_sandbox(SandboxFolder(tmp_path), state_on(held))
    remove_sandbox(SandboxFolder(tmp_path), state_on(held))
