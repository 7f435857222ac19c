"""Which deploy going back means, and what proves one."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EntityNotFound, InputError, VerifyError
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.layer0 import Service
from ecr_widgets.model.record import RECORD_MIME, StepRecord
from ecr_widgets.proofs import proven_deploys
from ecr_widgets.steps.create_deploy import create_deploy
from ecr_widgets.steps.create_repository import check_repository
from ecr_widgets.steps.deploy_service import create_service, find_service
from ecr_widgets.steps.login import RegistrySession
from ecr_widgets.steps.rollback import earlier_deploy, require_earlier
from ecr_widgets.steps.verify import verify_service
from ecr_widgets.steps.wait import wait_for_service
from tests.fakes import REGISTRY, FakeClock, FakeEcr, FakeLayer0, FakeRegistry, World, digest_of

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def layer0(world: World) -> FakeLayer0:
    return FakeLayer0(world)


def stored(layer0: FakeLayer0, image: str) -> str:
    """Store one more version of `roll`; gives its id back."""
    text = json.dumps({"containerDefinitions": [{"name": "web", "image": "x", "memory": 10}]})
    clock = FakeClock(layer0._world)
    return create_deploy(
        layer0, clock, "roll", Dockerrun.parse(text.encode()), image=ImageReference.parse(image)
    ).deploy_id


def standing_on(layer0: FakeLayer0, deploy_id: str) -> Service:
    """The service `web`, brought to the deploy."""
    environment, service = find_service(layer0, "demo", "web")
    if service is None:
        create_service(layer0, FakeClock(layer0._world), environment, "web", deploy_id)
    else:
        layer0.update_service(service.service_id, deploy_id)
    _, service = find_service(layer0, "demo", "web")
    assert service is not None
    return service


@pytest.mark.parametrize(
    ("stands", "proven", "back"),
    [
        # Nothing is proven: the version before the newest, and from there nowhere.
        (3, (), 2),
        (2, (), 2),
        (1, (), 1),
        # The first of three is the last good one: never to one that nobody saw run, and never forward.
        (3, (1,), 1),
        (2, (1,), 1),
        (1, (1,), 1),
        # A proven newest one goes back to the proven one before it, and stays there.
        (3, (1, 2, 3), 2),
        (2, (1, 2, 3), 2),
        (3, (3,), 2),
    ],
)
def test_going_back_is_to_the_last_good_one_and_never_forward(
    layer0: FakeLayer0, stands: int, proven: tuple[int, ...], back: int
) -> None:
    """Of three versions, by where the service stands and which of them a run verified."""
    ids = [stored(layer0, f"{REGISTRY}/roll@{digest_of(str(number))}") for number in range(3)]
    service = standing_on(layer0, ids[stands - 1])
    assert earlier_deploy(layer0, service, lambda: [ids[each - 1] for each in proven]) == ids[back - 1]


def test_from_the_only_one_there_is_no_way_back(layer0: FakeLayer0) -> None:
    """It is said before anything is tried, and so is a deploy that is not stored."""
    service = standing_on(layer0, stored(layer0, f"{REGISTRY}/roll@{digest_of('a')}"))
    assert earlier_deploy(layer0, service) is None
    with pytest.raises(InputError, match="it stands on the first of its name"):
        require_earlier(layer0, "web", None)
    with pytest.raises(EntityNotFound):
        require_earlier(layer0, "web", "nobody.1")


def saved(folder: Path, name: str, *records: dict[str, Any]) -> None:
    """A notebook with these records."""
    outputs = [{"output_type": "display_data", "data": {RECORD_MIME: json.dumps(each)}} for each in records]
    (folder / name).write_text(json.dumps(notebook(outputs)))


def notebook(outputs: list[dict[str, Any]], **metadata: Any) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "outputs": outputs}], "metadata": metadata, "nbformat": 4}


def verified(service_id: str, deploy_id: str) -> dict[str, Any]:
    """The record of a service that was found to run a deploy."""
    record = StepRecord.intended("run-1", 1, "verify", {}, STARTED)
    outcome = {"service_id": service_id, "deploy_id": deploy_id}
    return record.succeeded(outcome, changed=False, ended_at=STARTED).to_builtins()


def test_proof_is_a_verify_that_succeeded_for_this_service(tmp_path: Path) -> None:
    """What failed, was planned, is of another service or cannot be read proves nothing."""
    good, other = verified("web1", "roll.1"), verified("other", "roll.2")
    saved(tmp_path, "1.ipynb", good, {**good, "state": "failed"}, other)
    saved(tmp_path, "2.ipynb", {**good, "state": "intended", "outcome": {"deploy_id": "roll.3"}})
    (tmp_path / "3.ipynb").write_text("verify {")
    (tmp_path / "4.ipynb").write_text('{"cells": [{"outputs": "verify"}]}')
    (tmp_path / "5.ipynb").write_text('{"verify": ' + "[" * 100_000 + "]" * 100_000 + "}")
    os.mkfifo(tmp_path / "6.ipynb")  # nobody ever writes into it
    assert proven_deploys(tmp_path, "web1") == {"roll.1"}
    assert proven_deploys(tmp_path / "nowhere", "web1") == frozenset()


def test_a_record_that_a_cell_merely_displays_is_no_proof(tmp_path: Path) -> None:
    """Where the engine has marked a run's records, no rollback goes to what another display claims."""
    outputs = [
        {
            "data": {RECORD_MIME: json.dumps(verified("web1", f"roll.{number}"))},
            "metadata": metadata,
        }
        for number, metadata in enumerate(
            ({"ecr_widgets": {"marked": True}}, {}, {"ecr_widgets": {"marked": 1}}, [])
        )
    ]
    run = notebook(outputs, ecr_widgets={"marked": True})
    (tmp_path / "1.ipynb").write_text(json.dumps(run))
    assert proven_deploys(tmp_path, "web1") == {"roll.0"}


def test_what_a_deploy_names_by_digest_can_be_verified(layer0: FakeLayer0, world: World) -> None:
    """Without saying which image: it is read from the deploy; one by tag, and another deploy, are refused."""
    ecr = FakeEcr(world)
    ecr.create_repository("roll", tags_immutable=False, scan_on_push=True)
    session = RegistrySession(ecr, FakeClock(world))
    world.manifests.add(("roll", digest_of("a")))
    pinned = stored(layer0, f"{REGISTRY}/roll@{digest_of('a')}")
    service = standing_on(layer0, pinned)

    def verify(deploy_id: str) -> str:
        if deploy_id != "other.1":
            wait_for_service(layer0, FakeClock(world), service.service_id, deploy_id=deploy_id, timeout_s=60)
        return verify_service(
            layer0, FakeRegistry(world), session, service.service_id, image=None, deploy_id=deploy_id
        ).running_digest

    assert verify(pinned) == digest_of("a")
    with pytest.raises(VerifyError, match=r"stands on roll\.1, not on other\.1"):
        verify("other.1")
    for image, why in (
        (f"{REGISTRY}/roll:latest", "names no digest"),
        ("busybox", "runs no image of"),
    ):
        deploy_id = stored(layer0, image)
        standing_on(layer0, deploy_id)
        with pytest.raises(VerifyError, match=why):
            verify(deploy_id)


def test_other_settings_of_a_repository_are_named(world: World) -> None:
    """One that stood before keeps its own, and a closing check says so."""
    ecr = FakeEcr(world)
    ecr.create_repository("app", tags_immutable=False, scan_on_push=True)
    assert check_repository(ecr, "app", tags_immutable=False, scan_on_push=True).changed is False
    with pytest.raises(VerifyError, match="tags_immutable is false and not true, scan_on_push is true"):
        check_repository(ecr, "app", tags_immutable=True, scan_on_push=False)
