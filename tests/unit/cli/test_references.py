"""Registry hosts in references that are given to commands and runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecr_widgets.cli import main
from ecr_widgets.engine.references import refuse_other_registries
from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.registry import Child, ImageDetails
from tests.fakes import REGISTRY, World, digest_of
from tests.fakes.connections import FakeConnections, make_kit

ELSEWHERE = "222333444555.dkr.ecr.eu-west-1.amazonaws.com"
OTHER_REGION = "111222333444.dkr.ecr.eu-west-1.amazonaws.com"
OWN_NAMES = (
    REGISTRY,
    "111222333444.dkr.ecr.us-east-1.amazonaws.com",
    "111222333444.dkr-ecr.us-east-1.on.aws",
    "111222333444.dkr.ecr-fips.us-east-1.amazonaws.com",
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """A world with two images in one repository, which the commands are connected to."""
    world = World()
    to = FakeConnections(world)
    monkeypatch.setattr("ecr_widgets.connections.connect", lambda **_: make_kit(to, tmp_path))
    kit = make_kit(to, tmp_path)
    kit.create_repository("app")
    kit.create_repository("live")
    for tag in ("1", "prod"):
        world.local[tag] = digest_of(tag)
        kit.push_image(tag, repository="app", tag=tag)
    (tmp_path / "run.json").write_text(
        '{"containerDefinitions": [{"name": "web", "image": "x", "memory": 16}]}'
    )
    world.changes.clear()
    return world


def verb(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    "host", [ELSEWHERE, OTHER_REGION, "docker.io", "registry.example.com", "127.0.0.1:1"]
)
@pytest.mark.parametrize(
    "words",
    [
        ("copy", "app:1", "{host}/app:prod"),
        ("copy", "app:1", "{host}/app:prod", "--to-region", "us-east-1"),
        ("copy", "{host}/app:1", "live:1"),
        ("push", "1", "{host}/app", "prod"),
        ("push", "1", "{host}/new", "prod", "--create"),
        ("images", "{host}/app"),
        ("deploy", "demo", "web", "{host}/app:1", "{folder}/run.json"),
    ],
)
def test_another_registry_is_refused_before_anything_changes(
    world: World, tmp_path: Path, host: str, words: tuple[str, ...]
) -> None:
    """A reference to another registry is refused with exit code 2 and both registries in the message, and changes nothing."""
    done = verb(*(word.format(host=host, folder=tmp_path) for word in words))
    assert done.exit_code == 2, done.output
    assert f"{host} is not the registry that is used here, {REGISTRY} (account 111222333444" in done.output
    assert world.changes == []


@pytest.mark.parametrize("host", OWN_NAMES)
def test_every_name_of_the_own_registry_means_it(world: World, tmp_path: Path, host: str) -> None:
    """Plain, dual-stack and FIPS hosts and the token's name all mean the account's registry, and deploys use one name."""
    assert verb("copy", f"{host}/app:1", f"{host}/live:1").exit_code == 0
    assert verb("push", "prod", f"{host}/live", "2").exit_code == 0
    assert [world.tags["live", tag] for tag in "12"] == [world.tags["app", tag] for tag in ("1", "prod")]
    assert "prod" in verb("images", f"{host}/app").output
    done = verb("deploy", "demo", "web", f"{host}/app:1", tmp_path / "run.json")
    assert done.output.endswith(f"web runs {REGISTRY}/app@{world.tags['app', '1']} (web.1)\n"), done.output


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"repository": f"{ELSEWHERE}/app"}, "is not the registry"),
        ({"repository": "app", "to_repository": f"{ELSEWHERE}/app"}, "is not the registry"),
        ({"repository": "docker.io/library/app"}, "is not the registry"),
        ({"repository": "app", "reference": f"{ELSEWHERE}/app:1"}, "neither tag nor digest"),
    ],
)
def test_a_run_with_another_registry_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: World, parameters: dict[str, str], why: str
) -> None:
    """A run with another registry in its parameters is refused with exit code 2, and no run is saved."""
    ecr = FakeConnections(world).ecr
    monkeypatch.setattr("ecr_widgets.adapters.boto_ecr.BotoEcr", lambda **_: ecr)
    given = [word for pair in parameters.items() for word in ("-p", *pair)]
    done = verb(
        "run", "promote" if "to_repository" in parameters else "deploy", "--runs", tmp_path / "runs", *given
    )
    assert done.exit_code == 2, done.output
    assert why in done.output
    assert not (tmp_path / "runs").exists()


def test_a_run_on_what_a_pull_creates_starts(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """A run's repository that begins like another registry's host is not refused if its first pull creates it."""
    ecr = FakeConnections(world).ecr
    monkeypatch.setattr("ecr_widgets.adapters.boto_ecr.BotoEcr", lambda **_: ecr)
    with pytest.raises(InvalidReference):
        refuse_other_registries({"repository": "quay.io/team/app"})
    world.created_on_pull = ("quay.io/",)
    refuse_other_registries({"repository": "quay.io/team/app"})


def test_the_list_tells_images_from_what_belongs_to_them(world: World) -> None:
    """`images` shows the kind of each image: platform, index, attestation or signature, and what it belongs to."""
    app = world.tags["app", "1"]
    world.manifests |= {("app", digest_of(name)) for name in ("index", "proof", "signature")}
    world.tags["app", "multi"] = index = digest_of("index")
    world.tags["app", index.replace(":", "-") + ".sig"] = digest_of("signature")
    children = (Child(app, "linux/amd64"), Child(digest_of("proof"), "", app, is_image=False))
    world.details[index] = ImageDetails(children=children)
    told = {each["digest"]: each for each in json.loads(verb("images", "app", "--json").output)}
    kinds = {
        app: "linux/amd64",
        index: "index",
        digest_of("proof"): "attestation",
        digest_of("signature"): "signature",
    }
    assert {digest: told[digest]["kind"] for digest in kinds} == kinds
    assert told[world.tags["app", "prod"]]["kind"] == "image"
    assert told[digest_of("proof")]["belongs_to"] == [index]
    lines = verb("images", "app").output.splitlines()
    assert lines[0].split() == ["TAGS", "KIND", "PUSHED", "BYTES", "DIGEST"]
    assert sum(" attestation " in line for line in lines) == 1
