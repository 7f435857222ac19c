"""Copies between registries with lost replies, over real sockets on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ecr_widgets.adapters.hosts import same_origin
from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.errors import RegistryError, RegistryUnavailable, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ProgressSink, ignore_progress
from tests.unit.adapters.scripted import RESET, Request, answering, http

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LAYER = b"a layer of an image"
LAYER_DIGEST = "sha256:" + hashlib.sha256(LAYER).hexdigest()
MANIFEST = json.dumps({"layers": [{"digest": LAYER_DIGEST, "size": len(LAYER)}]}).encode()
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
UPLOAD_UNKNOWN = http(404, json.dumps({"errors": [{"code": "BLOB_UPLOAD_UNKNOWN"}]}).encode())
IMMUTABLE = http(400, json.dumps({"errors": [{"code": "TAG_INVALID", "message": "immutable"}]}).encode())


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)


def source(request: Request) -> bytes:
    """Answer as a registry that has the image."""
    return http(200, MANIFEST if "/manifests/" in request.target else LAYER)


class Target:
    """A registry that receives an image; `spoil` may replace its answer, whether or not the request took effect."""

    def __init__(self, spoil: Callable[[Target, Request], bytes | None]) -> None:
        self.blob = self.tagged = False
        self.puts = 0
        self._spoil = spoil

    def __call__(self, request: Request) -> bytes:
        return self._spoil(self, request) or self.answer(request)

    def answer(self, request: Request) -> bytes:
        """Answer as registries do."""
        if request.method == "HEAD":
            there = self.blob if "/blobs/" in request.target else self.tagged
            return http(200 if there else 404, more={"Docker-Content-Digest": DIGEST})
        if request.method == "POST":
            return http(202, more={"Location": "/v2/b/blobs/uploads/1"})
        if "/uploads/" in request.target:
            self.blob = True
        else:
            self.puts += 1
            self.tagged = True
        return http(201)


def copy(target: Target, progress: ProgressSink = ignore_progress) -> str:
    with answering(source) as here, answering(target) as there:
        tokens = [
            AuthorizationToken(each.host, "AWS", "password", NOW, NOW + timedelta(hours=12))
            for each in (here, there)
        ]
        return OciRegistry().copy_image(
            ImageReference.parse(f"{here.host}/a@{DIGEST}"),
            tokens[0],
            ImageReference.parse(f"{there.host}/b:1"),
            tokens[1],
            progress=progress,
        )


@pytest.mark.parametrize("told", [RESET, UPLOAD_UNKNOWN])
def test_a_blob_that_is_there_after_a_lost_reply_is_copied(told: bytes) -> None:
    """A layer whose upload's reply was lost or refused counts as copied if the registry has it."""

    def spoil(target: Target, request: Request) -> bytes | None:
        if request.method == "PUT" and "/uploads/" in request.target:
            target.blob = True
            return told
        return None

    assert copy(Target(spoil)) == DIGEST


@pytest.mark.parametrize("told", [RESET, UPLOAD_UNKNOWN])
def test_a_blob_that_is_not_there_is_an_error(told: bytes) -> None:
    """A layer whose upload failed and that the registry does not have is an error."""

    def spoil(_: Target, request: Request) -> bytes | None:
        return told if request.method == "PUT" and "/uploads/" in request.target else None

    with pytest.raises(
        RegistryUnavailable if told is RESET else RegistryError, match=r"does not answer|answered 404"
    ):
        copy(Target(spoil))


def test_an_upload_whose_begin_was_lost_is_begun_again() -> None:
    """An upload is started again if the reply to its start was lost, and the retry is reported."""
    begun = []

    def spoil(_: Target, request: Request) -> bytes | None:
        if request.method == "POST":
            begun.append(request)
            return RESET if len(begun) == 1 else None
        return None

    told: list[Progress] = []
    assert copy(Target(spoil), told.append) == DIGEST
    assert len(begun) == 2
    assert [one.message.partition(" after ")[0] for one in told if one.again] == ["POST asked again"]


def test_an_immutable_tag_that_names_the_image_after_a_lost_reply_is_copied() -> None:
    """If a lost reply's retry is refused because the tag is immutable, the copy succeeds, as the tag names the image."""

    def spoil(target: Target, request: Request) -> bytes | None:
        if request.method == "PUT" and "/manifests/" in request.target:
            target.puts += 1
            target.tagged = True
            return RESET if target.puts == 1 else IMMUTABLE
        return None

    target = Target(spoil)
    assert copy(target) == DIGEST
    assert target.puts == 2


def test_an_immutable_tag_that_names_nothing_of_ours_is_refused() -> None:
    """A refusal because of an immutable tag that names another image is an error."""

    def spoil(_: Target, request: Request) -> bytes | None:
        return IMMUTABLE if request.method == "PUT" and "/manifests/" in request.target else None

    with pytest.raises(TagImmutable):
        copy(Target(spoil))


@pytest.mark.parametrize(
    ("where", "other", "same"),
    [
        ("https://r.example/u", "https://r.example:443/v2", True),
        ("https://R.example/u", "https://r.example/v2", True),
        ("http://r.example/u", "https://r.example/v2", False),
        ("https://r.example:8443/u", "https://r.example/v2", False),
        ("https://other.example/u", "https://r.example/v2", False),
    ],
)
def test_a_token_goes_to_the_registry_alone(where: str, other: str, *, same: bool) -> None:
    """A token is sent only to the same origin: scheme, host and port."""
    assert same_origin(where, other) is same


@pytest.mark.parametrize(
    "where",
    [
        "http://r.example/v2/b/blobs/uploads/1",
        "https://me:pw@r.example/uploads/1",
        "ftp://r.example/uploads/1",
        "http://127.0.0.1@evil.example/uploads/1",
        "https:///uploads/1",
        "http://[::1/uploads",
    ],
)
def test_an_upload_that_is_sent_elsewhere_in_clear_is_refused(where: str) -> None:
    """An upload redirected to plain HTTP or an odd address is refused, without showing a password in the address."""
    target = Target(
        lambda _, request: http(202, more={"Location": where}) if request.method == "POST" else None
    )
    with pytest.raises(RegistryError, match="which is not followed") as caught:
        copy(target)
    assert "pw" not in str(caught.value)
    assert not target.tagged
