"""Pushes: nothing is sent twice, temporary failures are retried, and the registry's digest decides."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import AuthorizationError, ImageNotFound, PushError, RepositoryNotFound, TagImmutable
from ecr_widgets.ports import ignore_progress
from ecr_widgets.steps.push_image import PushImage
from tests.fakes import FakeEcr, FakeEngine, digest_of
from tests.unit.steps.here import APP, Here


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_a_push_gives_the_registrys_digest_and_pins_the_image(here: Here) -> None:
    """The outcome names the image by the digest that the registry serves."""
    outcome = here.push()
    assert outcome.changed
    assert outcome.image == APP.with_digest(outcome.digest)
    assert here.world.tags["app", "1"] == outcome.digest


def test_pushing_what_the_registry_serves_already_sends_nothing(here: Here) -> None:
    """Pushing an image that the registry already serves sends nothing."""
    here.push()
    assert not here.push().changed
    assert here.world.changes.count("push app:1") == 1


def test_an_immutable_tag_takes_the_same_image_again(here: Here) -> None:
    """Pushing the same image again under an immutable tag succeeds and changes nothing."""
    here.fix_tags()
    here.push()
    assert not here.push().changed


def test_an_immutable_tag_refuses_another_image_and_names_both(here: Here) -> None:
    """An immutable tag refuses another image; the error names both image ids, as a new image has no digest yet."""
    here.fix_tags()
    pushed = here.push()
    wanted_id = here.build("FROM busybox\nENV A=1")
    with pytest.raises(TagImmutable) as caught:
        here.push()
    assert f"names {pushed.digest} (image id {here.built}) and" in str(caught.value)
    assert f"moved to the local image with image id {wanted_id}:" in str(caught.value)
    assert (caught.value.standing, caught.value.wanted) == (pushed.digest, None)


def test_an_immutable_tag_refuses_an_image_that_was_pushed_before_by_its_digest(here: Here) -> None:
    """If the refused image was pushed under another tag before, the error names both digests."""
    here.fix_tags()
    current = here.push().digest
    here.build("FROM busybox\nENV A=1")
    other = here.push(tag="2").digest
    with pytest.raises(TagImmutable, match=f"names {current} .* cannot be moved to {other} ") as caught:
        here.push()
    assert (caught.value.standing, caught.value.wanted) == (current, other)


def test_a_refused_token_is_renewed_once(here: Here) -> None:
    """A refused token is renewed once, and the push succeeds."""
    here.session.token()
    here.world.valid_passwords.clear()
    assert here.push().changed
    assert here.world.tokens_issued == 2


def test_a_token_that_stays_refused_is_an_error_after_one_renewal(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that is refused again after one renewal is an error."""
    monkeypatch.setattr(here.world, "valid_passwords", frozenset())
    monkeypatch.setattr(FakeEcr, "authorization_token", _refused_token(here))
    with pytest.raises(AuthorizationError):
        here.push()
    assert here.world.tokens_issued == 2


def _refused_token(here: Here):
    issue = FakeEcr.authorization_token

    def token(self: FakeEcr):
        here.world.valid_passwords = set()
        issued = issue(self)
        here.world.valid_passwords = set()
        return issued

    return token


def test_a_push_that_failed_for_the_moment_is_made_again_after_a_pause(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push is repeated after up to three temporary failures, which the outcome lists; the fourth is an error."""
    push = FakeEngine.push
    failures = [PushError("EOF", retryable=True)] * 3

    def break_first(self: FakeEngine, *args: Any, **more: Any) -> str | None:
        if failures:
            raise failures.pop()
        return push(self, *args, **more)

    monkeypatch.setattr(FakeEngine, "push", break_first)
    began = here.world.now
    outcome = here.push()
    assert outcome.changed
    assert outcome.repeated == tuple(f"push: once more after {pause} s, since EOF" for pause in (1, 2, 4))
    assert here.world.now - began == timedelta(seconds=7)
    here.build("FROM busybox\nENV A=1")
    failures.extend([PushError("EOF", retryable=True)] * 4)
    with pytest.raises(PushError, match="EOF"):
        here.push()
    assert not failures


def test_a_push_that_cannot_succeed_is_not_made_again(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push with a permanent failure is not repeated."""
    pushes = []

    def refuse(*_: object, **__: object) -> str:
        pushes.append(1)
        raise PushError("manifest invalid")

    monkeypatch.setattr(FakeEngine, "push", refuse)
    with pytest.raises(PushError, match="invalid"):
        here.push()
    assert pushes == [1]


def test_a_registry_that_refuses_the_same_image_again_has_it_already(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an immutable tag already names the local image, the push succeeds, even if the engine does not know the digest."""
    here.fix_tags()
    current = here.push().digest
    here.world.pushed.clear()

    def refuse(*_: object, **__: object) -> str:
        raise TagImmutable("tag is immutable", standing="", wanted=None)

    monkeypatch.setattr(FakeEngine, "push", refuse)
    outcome = here.push()
    assert (outcome.digest, outcome.changed) == (current, False)
    here.build("FROM busybox\nENV A=1")
    with pytest.raises(TagImmutable, match=current):
        here.push()


def test_a_registry_that_serves_another_digest_is_no_success(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push fails if the registry does not serve the digest that the engine reports."""
    monkeypatch.setattr(FakeEngine, "push", lambda *_, **__: digest_of("something else"))
    with pytest.raises(PushError, match="serves nothing"):
        here.push()


def test_a_push_needs_a_tag_and_a_local_image(here: Here) -> None:
    """A push without a tag or without a local image is refused before anything is sent."""
    with pytest.raises(PushError, match="no tag"):
        here.push(tag=digest_of("something"))
    with pytest.raises(ImageNotFound, match="nothing-built"):
        here.push("nothing-built")
    assert here.pushes() == 0


def test_a_repository_that_a_push_creates_need_not_exist(here: Here) -> None:
    """A missing repository is pushed to where a template of the account creates it, in a plan as well; elsewhere it is an error."""
    here.world.created_on_push = ("team/",)
    step = PushImage("built", repository="team/new", tag="1")
    planned = step.plan(here.outside, step.look(here.outside, ignore_progress))
    assert (planned.changed, "team/new" in here.world.repositories) == (True, False)
    assert here.push(repository="team/new").changed
    assert "team/new" in here.world.repositories
    with pytest.raises(RepositoryNotFound):
        here.push(repository="other-team/new")
