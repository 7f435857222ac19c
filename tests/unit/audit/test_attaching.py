"""Attaching seals to images: which images get one, only once, only small ones, and never with a secret."""

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
    """A seal is attached to the image that the run acted on, byte for byte as in the chain, and only once."""
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
    """The manifest has only the specification's members; its descriptors hold no data and the configuration no annotations."""
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
    """A run's seal is attached only to the image that the run deployed, not to one that it merely looked at."""
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
    """A seal that holds a known secret is refused before anything is put; it is signed and so cannot be masked."""
    image = here.image()
    run = here.seal(image, actor="hunter2-hunter2")
    before = list(here.registry._world.changes)  # type: ignore[attr-defined]
    with pytest.raises(RecordError, match="a known secret is in its seal"):
        list(attach(run, here, holds_secret=lambda text: "hunter2" in text))  # type: ignore[arg-type]
    assert here.registry._world.changes == before  # type: ignore[attr-defined]


def test_a_seal_that_names_a_folder_is_refused(here: Attested) -> None:
    """A seal that names a folder is not attached, because the path would be published."""
    image = here.image()
    here.seal(image)
    (here.runs / "customer").mkdir()
    (here.runs / "customer" / "b.ipynb").write_text(json.dumps(here.notebook(image, "run-2")))
    from ecr_widgets.audit.sealing import seal_missing

    seal_missing(here.runs, ["customer/b.ipynb"], ring=here.ring, now=NOW)
    with pytest.raises(RecordError, match="names the folder"):
        here.attach(find_attachable(here.runs, "run-2", here.ring))


def test_a_bloated_seal_is_refused(here: Attested) -> None:
    """A seal larger than 128 kB is not attached, so that a list of a hundred statements stays quick to read."""
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
    """An image that no longer exists is reported as gone and not as a failure."""
    gone = ImageReference.parse(f"{here.token.registry}/xfra-wait@sha256:{'7' * 64}")
    (done,) = here.attach(here.seal(gone))
    assert (done.state, done.referrer) == ("gone", None)


def test_a_registry_that_refuses_is_no_success(here: Attested, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the registry refuses the seal, the image is reported as not attached, with the reason."""
    image = here.image()
    run = here.seal(image)

    def refuse(*_: Any) -> None:
        raise RegistryError("is not listed")

    monkeypatch.setattr(here.registry, "put_manifest", refuse)
    (done,) = here.attach(run)
    assert (done.state, done.why) == (NOT_ATTACHED, "is not listed")


def test_runs_that_cannot_be_attached_are_told_apart(here: Attested) -> None:
    """Runs that were never sealed, acted on no image or have a forged seal are refused with different reasons."""
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
    """For a resumed run, only the newest seal is attached."""
    image = here.image()
    here.seal(image, "run-1", kind="failed")
    here.seal(image, "run-1", hours=1)
    assert find_attachable(here.runs, "run-1", here.ring).seal.run.verdict == "proven"
