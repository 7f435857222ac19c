"""Seals attached to images: to which, once, small, and never with a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit.attaching import NOT_ATTACHED, attach, attachable, find_attachable
from ecr_widgets.errors import InputError, RecordError, RegistryError
from ecr_widgets.model.image_reference import ImageReference
from tests.audit.attested import NOW, Attested


@pytest.fixture
def here(tmp_path: Path) -> Attested:
    return Attested.in_memory(tmp_path)


def test_a_run_is_attached_once(here: Attested) -> None:
    """To the image that it acted on, byte for byte as it is in the chain; a second time nothing is put."""
    image = here.image()
    run = here.seal(image)
    (first,) = here.attach(run)
    changes = list(here.registry._world.changes)  # type: ignore[attr-defined]
    (second,) = here.attach(run)
    assert (first.state, second.state) == ("attached", "already attached")
    assert (first.image, first.run_id, first.referrer) == (str(image), "run-1", second.referrer)
    assert here.registry._world.changes == changes  # type: ignore[attr-defined]
    manifest = json.loads(
        here.registry.read_manifest(image.with_digest(str(first.referrer)), here.token).content
    )
    (layer,) = manifest["layers"]
    assert here.registry.read_blob(image, layer["digest"], here.token, largest_bytes=99_999) == run.line


def test_the_referrer_is_as_plain_as_ecr_takes(here: Attested) -> None:
    """The members of the specification, no data in a descriptor, no notes on the configuration."""
    image = here.image()
    (done,) = here.attach(here.seal(image))
    manifest = json.loads(
        here.registry.read_manifest(image.with_digest(str(done.referrer)), here.token).content
    )
    assert sorted(manifest) == [
        "annotations", "artifactType", "config", "layers", "mediaType", "schemaVersion", "subject"
    ]  # fmt: skip
    for described in (manifest["config"], manifest["subject"], *manifest["layers"]):
        assert sorted(described) == ["digest", "mediaType", "size"]


def test_what_a_run_only_looked_at_gets_nothing(here: Attested) -> None:
    """The replaced image and one that was found are not vouched for."""
    image, looked_at = here.image(), here.image("old")
    notebook = here.notebook(image)
    text = json.dumps(notebook).replace(
        '\\"engine_version\\"', f'\\"running_digest\\": \\"{looked_at.digest}\\", \\"engine_version\\"'
    )
    assert str(looked_at.digest) in text
    here.runs.mkdir()
    (here.runs / "run-1.ipynb").write_text(text)
    from ecr_widgets.audit.sealing import seal_run

    seal_run(here.runs, "run-1.ipynb", ring=here.ring, now=NOW)
    (run,) = attachable(here.runs, here.ring)
    assert str(looked_at.digest) in run.seal.run.touched["digest"]
    assert [each.image for each in here.attach(run)] == [str(image)]


def test_a_known_secret_in_a_seal_is_refused(here: Attested) -> None:
    """Before anything is put, and not masked: what is signed cannot be."""
    image = here.image()
    run = here.seal(image, actor="hunter2-hunter2")
    before = list(here.registry._world.changes)  # type: ignore[attr-defined]
    with pytest.raises(RecordError, match="a known secret is in its seal"):
        list(attach(run, here, holds_secret=lambda text: "hunter2" in text))  # type: ignore[arg-type]
    assert here.registry._world.changes == before  # type: ignore[attr-defined]


def test_a_seal_that_names_a_folder_is_refused(here: Attested) -> None:
    """A path is nobody's business; the run can be sealed in its own folder."""
    image = here.image()
    here.seal(image)
    (here.runs / "customer").mkdir()
    (here.runs / "customer" / "b.ipynb").write_text(json.dumps(here.notebook(image, "run-2")))
    from ecr_widgets.audit.sealing import seal_missing

    seal_missing(here.runs, ["customer/b.ipynb"], ring=here.ring, now=NOW)
    with pytest.raises(RecordError, match="names the folder"):
        here.attach(find_attachable(here.runs, "run-2", here.ring))


def test_a_bloated_seal_is_refused(here: Attested) -> None:
    """A list of a hundred statements must stay quick to read."""
    image = here.image()
    notebook = here.notebook(image)
    for number in range(2000):
        notebook["cells"].append(
            {"id": f"c{number:04}", "cell_type": "markdown", "metadata": {}, "source": f"{number}"}
        )
    here.runs.mkdir()
    (here.runs / "run-1.ipynb").write_text(json.dumps(notebook))
    from ecr_widgets.audit.sealing import seal_run

    seal_run(here.runs, "run-1.ipynb", ring=here.ring, now=NOW)
    with pytest.raises(RecordError, match="larger than 128 kB"):
        here.attach(find_attachable(here.runs, "run-1", here.ring))


def test_an_image_that_is_gone_is_said_to_be(here: Attested) -> None:
    """That is no failure; a registry that refuses is one, and both leave the other images to be tried."""
    gone = ImageReference.parse(f"{here.token.registry}/xfra-wait@sha256:{'7' * 64}")
    (done,) = here.attach(here.seal(gone))
    assert (done.state, done.referrer) == ("gone", None)


def test_a_registry_that_refuses_is_no_success(here: Attested, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be attached is reported with the reason."""
    image = here.image()
    run = here.seal(image)

    def refuse(*_: Any) -> None:
        raise RegistryError("is not listed")

    monkeypatch.setattr(here.registry, "put_manifest", refuse)
    (done,) = here.attach(run)
    assert (done.state, done.why) == (NOT_ATTACHED, "is not listed")


def test_runs_that_cannot_be_attached_are_told_apart(here: Attested) -> None:
    """One that was never sealed, one that acted on no image, one whose seal is forged."""
    image = here.image()
    here.seal_only(image, "run-2", kind="interrupted", ring=here.ring)
    with pytest.raises(InputError, match="not sealed"):
        find_attachable(here.runs, "nobody", here.ring)
    here.seal_only(image, "run-3", kind="deployed", ring=here.ring, plan=True)
    with pytest.raises(InputError, match="acted on no image"):
        find_attachable(here.runs, "run-3", here.ring)
    here.seal(image, "run-4")
    for each in here.ring.folder.iterdir():
        each.unlink()
    with pytest.raises(InputError, match="not in order"):
        find_attachable(here.runs, "run-4", here.ring)


def test_only_the_newest_seal_of_a_run_is_attached(here: Attested) -> None:
    """Of a run that was resumed, what it came to."""
    image = here.image()
    here.seal(image, "run-1", kind="failed")
    here.seal(image, "run-1", hours=1)
    assert find_attachable(here.runs, "run-1", here.ring).seal.run.verdict == "proven"
