"""Attaching a run at its end: the clients load in the background while the kernel works, and nothing waits for them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ecr_widgets.audit import attaching, registries
from ecr_widgets.audit.registries import Registries
from ecr_widgets.engine.attach_at_end import AttachAtEnd
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.evidence import ATTEST_VARIABLE
from ecr_widgets.secrets.redaction import SecretRegistry

ASKED = {ATTEST_VARIABLE: "1"}
SAVED = Path("runs", "run.ipynb")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that loaded something."""
    loaded: list[str] = []
    monkeypatch.setattr(Registries, "load", lambda _: loaded.append(threading.current_thread().name))
    return loaded


@pytest.fixture
def attached(monkeypatch: pytest.MonkeyPatch) -> list[Registries]:
    """The registries that runs were attached with."""
    used: list[Registries] = []

    def attach(path: Place, registries: attaching.Callable[[], Registries], **_: object) -> None:
        used.append(registries())

    monkeypatch.setattr(attaching, "attach_finished_run", attach)
    return used


@pytest.mark.parametrize("environ", [{}, {ATTEST_VARIABLE: "0"}])
def test_nothing_is_loaded_where_nobody_asked(
    environ: dict[str, str], loads: list[str], attached: list[Registries]
) -> None:
    """Unless attaching is requested, nothing is loaded or attached."""
    at_end = AttachAtEnd(environ, SecretRegistry())
    before = threading.active_count()
    at_end.load()
    assert threading.active_count() == before
    assert at_end.attach(SAVED) is None
    assert (loads, attached) == ([], [])


def test_what_was_loaded_once_is_what_the_run_is_attached_with(
    loads: list[str], attached: list[Registries]
) -> None:
    """Loading happens once, in another thread, and attaching uses its result."""
    at_end = AttachAtEnd(ASKED, SecretRegistry())
    at_end.load()
    at_end.load()
    assert at_end.attach(SAVED) is None
    assert len(loads) == len(attached) == 1
    assert loads[0] != threading.current_thread().name


def test_what_cannot_be_loaded_is_tried_again_by_the_call_that_needs_it(
    monkeypatch: pytest.MonkeyPatch, attached: list[Registries]
) -> None:
    """If loading in the background fails, the error is ignored and attaching still goes ahead."""

    def fail(_: Registries) -> None:
        raise OSError("no such profile")

    monkeypatch.setattr(Registries, "load", fail)
    at_end = AttachAtEnd(ASKED, SecretRegistry())
    at_end.load()
    assert at_end.attach(SAVED) is None
    assert len(attached) == 1


def test_no_end_waits_for_what_it_does_not_need(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A run without images ends without waiting for the loading thread, which is a daemon and does not keep the process."""
    release = threading.Event()
    request.addfinalizer(release.set)
    monkeypatch.setattr(Registries, "load", lambda _: release.wait())
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    at_end = AttachAtEnd(ASKED, SecretRegistry())
    at_end.load()
    (loading,) = [each for each in threading.enumerate() if each.name == "load what attaching needs"]
    assert at_end.attach(tmp_path / "run.ipynb") is None
    assert loading.is_alive()
    assert loading.daemon


def test_the_first_look_uses_what_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first lookup uses the AWS session that was loaded."""
    made: list[str | None] = []
    real = Registries._ecr
    monkeypatch.setattr(Registries, "_ecr", lambda self, region: made.append(region) or real(self, region))
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    there = registries.Registries()
    there.load()
    assert there.session() is there.session()
    assert made == [None]
