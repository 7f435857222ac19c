"""Pushes from each kind of image store: equal images, indexes, and reasons for failures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import (
    AuthorizationError,
    PushError,
    RegistryUnavailable,
    RepositoryNotFound,
    TagImmutable,
)
from ecr_widgets.model.engine_facts import ImageStore
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.model.registry_host import RegistryId
from tests.fakes import REGISTRY, FakeEcr, FakeEngine, FakeRegistry, digest_of
from tests.unit.steps.here import APP, Here

INDEX = digest_of("an index")
CHILDREN = ((digest_of("amd64"), "linux/amd64"), (digest_of("arm64"), "linux/arm64"))


def hold_index(here: Here) -> None:
    """Put an index into the registry, and a local image that was pulled by it."""
    here.world.details[INDEX] = ImageDetails(children=CHILDREN)
    here.world.manifests.add(("app", INDEX))
    here.world.tags["app", "multi"] = INDEX
    image_id = INDEX if here.engine.facts().ids_are_manifests else here.built
    here.world.local[f"{REGISTRY}/app:multi"] = here.world.local[image_id] = image_id
    here.world.pushed.setdefault(image_id, set()).add(ImageReference.parse(f"{REGISTRY}/app@{INDEX}"))


Made = Callable[..., Here]


@pytest.fixture(params=list(ImageStore), ids=str)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Here:
    return Here(tmp_path, request.param)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return lambda *how: Here(tmp_path, *how)


def test_the_same_image_is_pushed_once_from_every_store(here: Here) -> None:
    """An image that the registry already has is not pushed again, from any image store."""
    first = here.push()
    assert first.digest == here.world.tags["app", "1"]
    for source in ("built", here.built, str(APP)):
        again = here.push(source)
        assert (again.digest, again.changed, again.note) == (first.digest, False, "")
    assert here.pushes() == 1
    here.build("FROM busybox\nENV A=1")
    assert here.push().changed


def test_a_refusal_to_move_a_tag_names_digests_of_one_kind(here: Here) -> None:
    """A refusal to move a tag compares manifest digests with each other, or image ids with each other."""
    here.fix_tags()
    current = here.push()
    wanted = here.build("FROM busybox\nENV A=1")
    with pytest.raises(TagImmutable) as caught:
        here.push()
    message = str(caught.value)
    if here.engine.facts().ids_are_manifests:
        assert f"names {current.digest} and cannot be moved to {wanted}:" in message
        assert caught.value.wanted == wanted
    else:
        assert f"names {current.digest} (image id {here.built}) and cannot be moved to the local" in message
        assert f"image id {wanted}:" in message


def failing(here: Here, monkeypatch: pytest.MonkeyPatch, *, arrives: bool = False) -> None:
    """Make the engine's push fail without the registry's reason, as Docker 26.1 does with containerd's image store."""
    push = FakeEngine.push

    def fail(self: FakeEngine, *args: Any, **more: Any) -> None:
        if arrives:
            push(self, *args, **more)
        raise PushError("unexpected status from PUT request: 400 Bad Request")

    monkeypatch.setattr(FakeEngine, "push", fail)


def test_an_immutable_tag_is_known_without_the_engines_words(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the engine gives no reason, ECR is asked whether the tag is immutable and names another image."""
    current = here.push()
    here.build("FROM busybox\nENV A=1")
    failing(here, monkeypatch)
    with pytest.raises(PushError, match="400 Bad Request"):
        here.push()
    here.fix_tags()
    with pytest.raises(TagImmutable, match=f"names {current.digest}"):
        here.push()
    # A new tag cannot have been refused for that.
    with pytest.raises(PushError, match="400 Bad Request"):
        here.push(tag="2")


def test_a_reason_that_ecr_does_not_tell_is_the_engines(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ECR may not be asked, the engine's own error is raised."""
    here.push()
    here.build("FROM busybox\nENV A=1")
    here.fix_tags()
    failing(here, monkeypatch)
    monkeypatch.setattr(FakeEcr, "find_repository", denied)
    with pytest.raises(PushError, match="400 Bad Request"):
        here.push()


def test_a_missing_repository_is_known_without_the_engines_words(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the engine gives no reason and the repository is missing, the error says so."""
    failing(here, monkeypatch)
    looks = []
    find = FakeRegistry.find_digest

    def gone_meanwhile(self: FakeRegistry, *args: Any) -> str | None:
        looks.append(args)
        if len(looks) > 1:
            raise RepositoryNotFound("repository 'app' does not exist")
        return find(self, *args)

    monkeypatch.setattr(FakeRegistry, "find_digest", gone_meanwhile)
    with pytest.raises(RepositoryNotFound):
        here.push()


def test_a_refused_token_is_known_without_the_engines_words(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the engine gives no reason and the registry refuses the token, it is renewed and the push repeated."""
    push = FakeEngine.push

    def hide(self: FakeEngine, *args: Any, **more: Any) -> str | None:
        try:
            return push(self, *args, **more)
        except AuthorizationError as error:
            raise PushError("500 Internal Server Error") from error

    monkeypatch.setattr(FakeEngine, "push", hide)
    tag = FakeEngine.tag

    def expire(self: FakeEngine, *args: Any) -> None:
        here.world.valid_passwords.clear()
        tag(self, *args)

    monkeypatch.setattr(FakeEngine, "tag", expire)
    assert here.push().changed
    assert here.world.tokens_issued == 2


def test_a_push_that_arrived_is_one_whatever_the_engine_says(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push counts as done if the registry serves the image, even if the engine reported a failure."""
    failing(here, monkeypatch, arrives=True)
    outcome = here.push()
    assert outcome.changed
    assert outcome.digest == here.world.tags["app", "1"]


def test_a_push_that_says_nothing_and_did_nothing_is_no_success(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the engine reports no digest, the push succeeds only if the registry serves the image."""
    monkeypatch.setattr(FakeEngine, "push", lambda *_, **__: None)
    with pytest.raises(PushError, match="the registry serves nothing"):
        here.push()
    other = digest_of("somebody's")
    here.world.tags["app", "1"] = other
    with pytest.raises(PushError, match=f"the registry serves {other}"):
        here.push()


def test_a_registry_that_does_not_answer_after_a_failure_is_reported(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the registry does not answer after a failed push, that is the error."""
    failing(here, monkeypatch)
    looks = []

    def silent(*args: object) -> None:
        looks.append(args)
        if len(looks) > 1:
            raise RegistryUnavailable("no answer")

    monkeypatch.setattr(FakeRegistry, "find_digest", silent)
    with pytest.raises(RegistryUnavailable):
        here.push()


def test_a_registry_that_was_away_for_a_moment_is_asked_again(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a temporary failure the push is repeated, even if the registry did not answer the look in between."""
    push, find = FakeEngine.push, FakeRegistry.find_digest
    away = [True]

    def fail_once(self: FakeEngine, *args: Any, **more: Any) -> str | None:
        if away:
            raise PushError("connection refused", retryable=True)
        return push(self, *args, **more)

    def away_then(self: FakeRegistry, *args: Any) -> str | None:
        if here.pushes() == 0 and len(looks) == 1 and away:
            away.clear()
            raise RegistryUnavailable("connection refused")
        looks.append(args)
        return find(self, *args)

    looks: list[object] = []
    monkeypatch.setattr(FakeEngine, "push", fail_once)
    monkeypatch.setattr(FakeRegistry, "find_digest", away_then)
    outcome = here.push()
    assert outcome.changed
    assert outcome.repeated == ("push: once more after 1 s, since connection refused",)


def test_an_index_that_an_immutable_tag_refuses_is_named_by_its_digest(made: Made) -> None:
    """If an immutable tag refuses an index, the error names the index's digest, not that of its one local image."""
    here = made(ImageStore.GRAPH_DRIVER)
    hold_index(here)
    current = digest_of("somebody's")
    here.world.tags["other", "1"] = current
    here.fix_tags("other")
    with pytest.raises(TagImmutable, match=f"names {current} and cannot be moved to {INDEX}:") as caught:
        here.push(here.built, "other")
    assert caught.value.wanted == INDEX


def test_what_was_pulled_by_an_index_is_pushed_as_that_index(here: Here) -> None:
    """An image pulled by an index is pushed as the whole index, copied within the registry."""
    hold_index(here)
    for source in (f"{REGISTRY}/app:multi", f"{REGISTRY}/app@{INDEX}"):
        here.world.local[source] = here.world.local[f"{REGISTRY}/app:multi"]
        here.world.tags.pop(("other", "1"), None)
        if here.engine.facts().store is ImageStore.PODMAN:
            # Podman's own list does not say; the registry does.
            pytest.skip("what Podman knows is tried on Podman")
        outcome = here.push(source, "other")
        assert (outcome.digest, outcome.changed) == (INDEX, True)
        assert outcome.image == ImageReference.parse(f"{REGISTRY}/other@{INDEX}")
        assert f"{REGISTRY}/app@{INDEX} was copied with all its images" in outcome.note
        assert not here.push(source, "other").changed
    assert here.pushes() == 0


def test_an_image_with_a_manifest_of_its_own_is_pushed_as_that(made: Made) -> None:
    """Pushing by image id pushes the single image, and pushing by the index's name pushes the index."""
    here = made(ImageStore.GRAPH_DRIVER)
    single = here.push()
    hold_index(here)
    assert here.push(here.built, "other").digest == single.digest
    assert here.push(f"{REGISTRY}/app:multi", "other", "2").digest == INDEX
    assert here.push(str(APP), "other", "3").digest == single.digest


def test_an_index_known_by_another_name_of_the_registry_is_copied(made: Made) -> None:
    """An index known by another host name of the same registry is copied; another registry's is not."""
    here = made(ImageStore.GRAPH_DRIVER)
    hold_index(here)
    here.session._id = RegistryId("111222333444", "us-east-1")
    hosts = [f"{account}.dkr.ecr.us-east-1.amazonaws.com" for account in ("555666777888", "111222333444")]
    strange, alias = (ImageReference.parse(f"{host}/app@{INDEX}") for host in hosts)
    here.world.pushed[here.built] = {strange}
    assert here.push(here.built, "other").digest != INDEX
    here.world.pushed[here.built] = {alias}
    assert here.push(here.built, "other", "2").digest == INDEX


@pytest.mark.parametrize(
    ("version", "may_push"), [("26.1", False), ("28.1", False), ("28.2", True), ("29.0", True)]
)
def test_an_index_is_left_to_engines_that_do_not_burn_the_tag(
    made: Made, monkeypatch: pytest.MonkeyPatch, version: str, *, may_push: bool
) -> None:
    """If an engine would push an index's images one by one to an immutable tag, the push is refused before anything is sent."""
    here = made(ImageStore.CONTAINERD, version)
    here.world.details[INDEX] = ImageDetails(children=CHILDREN)
    here.world.local["built"] = here.world.local[INDEX] = INDEX
    if may_push:
        assert here.push().digest == INDEX
        return
    here.fix_tags()
    with pytest.raises(PushError, match=rf"Docker Engine {version} would push each .* immutable"):
        here.push()
    monkeypatch.setattr(FakeEcr, "find_repository", denied)
    with pytest.raises(PushError, match="an immutable tag would stay"):
        here.push()
    assert here.pushes() == 0
    # Any engine can push a single image; and a movable tag ends on the index.
    monkeypatch.undo()
    assert here.push(here.built).changed
    here.fix_tags(immutable=False)
    assert here.push().digest == INDEX


def denied(*_: object) -> None:
    raise AuthorizationError("ecr:DescribeRepositories is denied")


def test_one_image_pushed_in_place_of_an_index_is_reported(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the engine pushed one image in place of an index, the outcome has a note."""
    here = made(ImageStore.CONTAINERD)
    here.world.details[INDEX] = ImageDetails(children=CHILDREN)
    here.world.local["built"] = here.world.local[INDEX] = INDEX
    child = CHILDREN[0][0]

    def push_child(*_: object, **__: object) -> str:
        here.world.tags["app", "1"] = child
        return child

    monkeypatch.setattr(FakeEngine, "push", push_child)
    outcome = here.push()
    assert outcome.digest == child
    assert outcome.note == f"{INDEX} is an index of which the engine holds one image, and pushed that one"
