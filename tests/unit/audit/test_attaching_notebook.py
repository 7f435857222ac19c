"""A notebook is attached only on request, if it is unchanged since it was sealed and only its owner can read it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit import attaching_notebook
from ecr_widgets.audit.attaching import Attachable, Attached
from ecr_widgets.audit.attaching_notebook import NOTEBOOK_TYPE, attach_notebook, read_notebook
from ecr_widgets.audit.registries import Registries
from ecr_widgets.errors import RecordError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.shared.registry_session import RegistrySession
from tests.audit.attested import REPOSITORY, Attested
from tests.fakes import FakeClock, FakeEcr, World


class Here(Registries):
    """The registries of one account in memory."""

    def __init__(self, world: World, here: Attested) -> None:
        super().__init__()
        self.registry = here.registry  # type: ignore[misc]
        self._own = RegistrySession(FakeEcr(world), FakeClock(world))
        self._token = here.token

    def resolve(self, image: ImageReference) -> tuple[ImageReference, AuthorizationToken]:
        return image, self._token

    def session(self, region: str | None = None) -> RegistrySession:
        return self._own


@pytest.fixture
def here(tmp_path: Path) -> Attested:
    return Attested.in_memory(tmp_path)


@pytest.fixture
def world(here: Attested) -> World:
    return here.registry._world  # type: ignore[attr-defined, no-any-return]


def attached(here: Attested, world: World, run: Attachable, *, holds_secret: bool = False) -> list[Attached]:
    notebook = read_notebook(here.runs, run, lambda _: holds_secret)
    return list(attach_notebook(run, notebook, Here(world, here)))


def test_the_very_file_that_was_sealed_is_a_referrer_of_its_own(here: Attested, world: World) -> None:
    """The sealed notebook is attached once, as a referrer of its own, and its digest is a subject of the seal."""
    image = here.image()
    run = here.seal(image)
    here.attach(run)
    (done,) = attached(here, world, run)
    assert (done.state, done.what, done.image) == ("attached", "notebook", str(image))
    listed = {each.artifact_type: each for each in here.registry.list_referrers(image, here.token).entries}
    entry = listed[NOTEBOOK_TYPE]
    assert len(listed) == 2
    manifest = json.loads(here.registry.read_manifest(image.with_digest(entry.digest), here.token).content)
    (layer,) = manifest["layers"]
    blob = here.registry.read_blob(image, layer["digest"], here.token, largest_bytes=1_000_000)
    assert blob == (here.runs / "run-1.ipynb").read_bytes()
    assert ("run-1.ipynb", hashlib.sha256(blob).hexdigest()) in run.seal.subjects
    assert attached(here, world, run)[0].state == "already attached"
    # Evidence reads as before: a notebook is of another kind.
    found = here.evidence(image)
    assert (len(found.proofs), [each.why for each in found.others]) == (1, [NOTEBOOK_TYPE])


def changed(path: Path) -> None:
    path.write_text(path.read_text() + " ")


CASES: dict[str, tuple[Any, str]] = {
    "saved again": (lambda here: changed(here.runs / "run-1.ipynb"), "saved again since it was sealed"),
    "gone": (lambda here: (here.runs / "run-1.ipynb").unlink(), "cannot be read"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_is_not_what_was_sealed_is_refused(here: Attested, world: World, case: str) -> None:
    """A notebook that was saved again or removed since it was sealed is refused."""
    run = here.seal(here.image())
    CASES[case][0](here)
    with pytest.raises(RecordError, match=CASES[case][1]):
        attached(here, world, run)


def test_a_secret_or_a_large_file_is_refused(
    here: Attested, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook that holds a known secret or is too large is not attached."""
    run = here.seal(here.image())
    with pytest.raises(RecordError, match="a known secret is in it"):
        attached(here, world, run, holds_secret=True)
    monkeypatch.setattr(attaching_notebook, "MAX_NOTEBOOK_BYTES", 100)
    with pytest.raises(RecordError, match="larger than"):
        attached(here, world, run)


@pytest.mark.parametrize("principal", ["*", {"AWS": "555666777888"}])
def test_where_others_may_read_it_is_not_attached(here: Attested, world: World, principal: Any) -> None:
    """No notebook is attached to an image that others may pull, because copies cannot be recalled."""
    image = here.image()
    run = here.seal(image)
    statement = {"Effect": "Allow", "Principal": principal, "Action": "ecr:BatchGetImage"}
    world.repository_policies[REPOSITORY] = json.dumps({"Statement": [statement]})
    (done,) = attached(here, world, run)
    assert (done.state, "its policy allows" in done.why) == ("not attached", True)
    assert not here.registry.list_referrers(image, here.token).entries


def test_another_accounts_image_gets_no_notebook(here: Attested, world: World) -> None:
    """No notebook is attached to an image of another account."""
    run = here.seal(here.image())
    notebook = read_notebook(here.runs, run, lambda _: False)
    registries = Here(world, here)
    other = "555666777888.dkr.ecr.us-east-1.amazonaws.com"
    registries.resolve = lambda image: (  # type: ignore[method-assign]
        ImageReference(other, image.repository, digest=image.digest),
        here.token,
    )
    (done,) = attach_notebook(run, notebook, registries)
    assert (done.state, "another account's image" in done.why) == ("not attached", True)
