"""Authorization tokens against a real registry endpoint and a real engine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecr_widgets import NotebookKit, connect
from ecr_widgets.errors import AuthorizationError, TagImmutable
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.sandbox import Sandbox
from ecr_widgets.steps.shared.registry_session import RegistrySession


@pytest.fixture
def kit(sandbox_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> NotebookKit:
    """A kit that talks to the sandbox."""
    for name, value in sandbox_environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return connect(sink=QuietSink())


def push_with(
    kit: NotebookKit, spoil: Callable[[RegistrySession], None], repository: str
) -> tuple[bool, int]:
    """Push after the token in hand was spoilt; whether it changed anything, and how many tokens that took."""
    session = kit._outside.session
    kit.create_repository(repository)
    built = kit.build_image("wait", name="xfra/wait", dockerfile="Dockerfile.wait")
    session.token()
    spoil(session)
    issued = []
    session._on_secret = issued.append
    return kit.push_image(built, repository=repository, tag="1").changed, len(issued)


def test_a_wrong_token_is_renewed_once_and_the_push_succeeds(kit: NotebookKit, sandbox: Sandbox) -> None:
    """The registry's refusal leads to one new token and then to success."""

    def spoil(session: RegistrySession) -> None:
        session._token = replace(session.token(), password="wrong-password-of-some-length")

    assert push_with(kit, spoil, "tokens/wrong") == (True, 1)


def test_a_wrong_token_in_mid_push_is_renewed_once(kit: NotebookKit, sandbox: Sandbox) -> None:
    """A refusal inside the engine's push stream is a refusal too."""
    find_digest = type(kit._outside.registry).find_digest
    calls = []

    def spoil(session: RegistrySession) -> None:
        good = session.token()

        def first_good(self: object, image: object, token: object) -> object:
            calls.append(image)
            if len(calls) == 1:
                session._token = replace(good, password="wrong-password-of-some-length")
                return find_digest(self, image, good)
            return find_digest(self, image, token)

        type(kit._outside.registry).find_digest = first_good

    try:
        assert push_with(kit, spoil, "tokens/mid") == (True, 1)
    finally:
        type(kit._outside.registry).find_digest = find_digest


def test_a_token_that_expired_is_renewed_once(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox_environ: dict[str, str]
) -> None:
    """Where the registry calls a token expired that our clock calls good, the registry is right."""
    with short_lived(sandbox, lifetime_s=2.0) as brief:
        for name, value in (sandbox_environ | brief.env()).items():
            monkeypatch.setenv(name, value)
        kit = connect(sink=QuietSink())

        def spoil(session: RegistrySession) -> None:
            session._token = token = replace(session.token(), expires_at=datetime.max.replace(tzinfo=UTC))
            image = ImageReference.parse(f"{token.registry}/tokens/old:1")

            def look_for_20_s() -> None:
                deadline_s = time.monotonic() + 20
                while time.monotonic() < deadline_s:
                    kit._outside.registry.find_digest(image, token)
                    time.sleep(0.1)

            with pytest.raises(AuthorizationError, match="expired"):
                look_for_20_s()

        assert push_with(kit, spoil, "tokens/old") == (True, 1)


@contextmanager
def short_lived(sandbox: Sandbox, *, lifetime_s: float) -> Iterator[Sandbox]:
    """A second sandbox on the same engine whose tokens live for a moment only."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    try:
        with Sandbox(
            folder / "state", docker_host=sandbox.env()["DOCKER_HOST"], token_lifetime_s=lifetime_s
        ) as brief:
            yield brief
    finally:
        shutil.rmtree(folder)


def test_no_step_leaves_the_password_anywhere_it_prints(kit: NotebookKit, sandbox: Sandbox) -> None:
    """Records and reprs of a login hold no password."""
    outcome = kit.login()
    password = kit._outside.session.token().password
    assert password not in repr(outcome)
    assert password not in "".join(record.to_json() for record in kit.recorder.records)


def test_an_immutable_tag_takes_the_same_image_and_refuses_another(
    kit: NotebookKit, sandbox: Sandbox, tmp_path: Path
) -> None:
    """ECR's own refusal of a real push names what stands and what was wanted; the same image is a success."""
    kit.create_repository("tokens/immutable", tags_immutable=True)
    built = kit.build_image("wait", name="xfra/wait", dockerfile="Dockerfile.wait")
    standing = kit.push_image(built, repository="tokens/immutable", tag="1").digest
    assert not kit.push_image(built, repository="tokens/immutable", tag="1").changed
    (tmp_path / "Dockerfile").write_text("FROM busybox\nENV OTHER=1\n")
    other = kit.build_image(tmp_path, name="test/other")
    with pytest.raises(TagImmutable) as caught:
        kit.push_image(other, repository="tokens/immutable", tag="1")
    assert (caught.value.standing, caught.value.wanted) == (standing, None)
    assert f"{standing} (image id {built.image_id})" in str(caught.value)
    assert f"the local image with image id {other.image_id}" in str(caught.value)
