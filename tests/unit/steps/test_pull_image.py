"""Pulls to each kind of image store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import EngineError, ImageNotFound
from ecr_widgets.model.engine_facts import ImageStore
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import ImageDetails
from tests.fakes import FakeEngine, digest_of
from tests.unit.steps.here import APP, Here

CHILDREN = ((digest_of("amd64"), "linux/amd64"), (digest_of("arm64"), "linux/arm64"))


@pytest.fixture(params=list(ImageStore), ids=str)
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Here:
    return Here(tmp_path, request.param)


def test_a_pull_pins_what_it_got(tmp_path: Path) -> None:
    """A pulled image is named by digest, and pulling it again changes nothing."""
    here = Here(tmp_path)
    pushed = here.push()
    del here.world.local[str(APP)]
    first, again = here.pull(), here.pull()
    assert (first.image, first.changed, again.changed) == (pushed.image, True, False)


def test_a_pull_resolves_the_tag_first(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag is resolved before the pull, so that moving it in the meantime changes nothing."""
    pushed = here.push()
    asked = []

    def pull(_: FakeEngine, image: ImageReference, *args: object, **more: object) -> str:
        asked.append(image)
        here.world.tags["app", "1"] = digest_of("moved meanwhile")
        here.world.local[str(image)] = here.built
        return here.built

    monkeypatch.setattr(FakeEngine, "pull", pull)
    del here.world.local[str(APP)]
    outcome = here.pull()
    assert asked == [pushed.image]
    assert (outcome.image, outcome.image_id, outcome.changed) == (pushed.image, here.built, True)
    assert here.engine.find_image_id(str(APP)) == here.built


@pytest.mark.parametrize(("repository", "tag"), [("app", "nobody"), ("nobody", "1")])
def test_a_pull_of_what_is_not_there_asks_no_engine(
    here: Here, repository: str, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the tag or the repository does not exist, the pull fails without asking the engine."""
    monkeypatch.delattr(FakeEngine, "pull")
    with pytest.raises(ImageNotFound):
        here.pull(repository, tag)


@pytest.mark.parametrize(
    ("details", "why"),
    [
        (ImageDetails("unknown/unknown"), "is not an image that an engine can store"),
        (ImageDetails(), "is not an image that an engine can store"),
        (ImageDetails("linux/amd64"), "mismatched image rootfs"),
        (ImageDetails(children=CHILDREN), "mismatched image rootfs"),
    ],
)
def test_what_is_no_image_is_reported_as_that(
    here: Here, monkeypatch: pytest.MonkeyPatch, details: ImageDetails, why: str
) -> None:
    """Pulling something that is not an image, such as an attestation, says so; other failures stay the engine's."""
    pushed = here.push()
    here.world.details[pushed.digest] = details

    def fail(*_: object, **__: object) -> str:
        raise EngineError("mismatched image rootfs and manifest layers")

    monkeypatch.setattr(FakeEngine, "pull", fail)
    with pytest.raises(EngineError, match=why):
        here.pull("app", pushed.digest)


def test_a_pull_that_failed_for_the_moment_is_made_again_after_a_pause(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull that the registry throttled is made again, and the outcome says so; what cannot succeed is not."""
    pushed = here.push()
    pull = FakeEngine.pull
    failures = [EngineError("toomanyrequests: Rate exceeded", retryable=True)]

    def break_first(self: FakeEngine, *args: Any, **more: Any) -> str:
        if failures:
            raise failures.pop()
        return pull(self, *args, **more)

    monkeypatch.setattr(FakeEngine, "pull", break_first)
    outcome = here.pull()
    assert outcome.image == pushed.image
    assert outcome.repeated == ("pull: once more after 1 s, since toomanyrequests: Rate exceeded",)
    failures.append(EngineError("no space left on device"))
    with pytest.raises(EngineError, match="no space"):
        here.pull()
    assert not failures
