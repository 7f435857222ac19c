"""The registry client's reading of answers, over real sockets on loopback."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from urllib3 import HTTPResponse

from ecr_widgets.adapters import registry_protocol
from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.adapters.registry_repository import RegistryRepository
from ecr_widgets.errors import (
    AuthorizationError,
    EcrWidgetsError,
    RegistryError,
    RegistryUnavailable,
    RepositoryNotFound,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.loopback import is_loopback
from tests.unit.adapters.scripted import RESET, Scripted, answering, http

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
FOUND = http(200, more={"Docker-Content-Digest": DIGEST})
PASSWORD = "password-1"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Retry pauses, which are recorded instead of slept."""
    asked_s: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", asked_s.append)
    return asked_s


def find(server: Scripted, reference: str = "xfra-wait:1") -> str | None:
    token = AuthorizationToken(server.host, "AWS", PASSWORD, NOW, NOW + timedelta(hours=12))
    return OciRegistry().find_digest(ImageReference.parse(f"{server.host}/{reference}"), token)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (json.dumps({"config": {"digest": DIGEST}}).encode(), DIGEST),
        (json.dumps({"manifests": []}).encode(), None),
        (b"[]", None),
        (b"no JSON", None),
    ],
)
def test_an_images_id_is_the_digest_of_its_configuration(body: bytes, found: str | None) -> None:
    """An image's id is the config digest in its manifest; an index or an invalid manifest has none."""
    with answering(http(200, body)) as server:
        token = AuthorizationToken(server.host, "AWS", PASSWORD, NOW, NOW + timedelta(hours=12))
        assert OciRegistry().find_image_id(ImageReference.parse(f"{server.host}/a:1"), token) == found


def test_an_image_of_dockers_first_format_is_named_as_that() -> None:
    """An image that Docker 1.9 pushed is named as such, with a way to make it usable, and not as altered."""
    schema_1 = {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}
    with answering(http(200, b"{}", more={**schema_1, "Docker-Content-Digest": DIGEST})) as server:
        token = AuthorizationToken(server.host, "AWS", PASSWORD, NOW, NOW + timedelta(hours=12))
        image = ImageReference.parse(f"{server.host}/a@{DIGEST}")
        with pytest.raises(RegistryError, match=r"schema 1.*push it again"):
            OciRegistry().read_details(image, token)


def test_no_image_has_no_id_and_a_refusal_is_one() -> None:
    """A missing image has no id; a refused token is an error, so that it can be renewed."""
    with answering(http(404, b"{}"), http(403, b"<html>")) as server:
        token = AuthorizationToken(server.host, "AWS", PASSWORD, NOW, NOW + timedelta(hours=12))
        image = ImageReference.parse(f"{server.host}/a:1")
        assert OciRegistry().find_image_id(image, token) is None
        with pytest.raises(AuthorizationError):
            OciRegistry().find_image_id(image, token)


def errors(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def test_the_digest_is_the_registrys_own_word() -> None:
    """One HEAD that accepts four kinds of manifest returns the digest from the header."""
    with answering(FOUND) as server:
        assert find(server) == DIGEST
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("HEAD", "/v2/xfra-wait/manifests/1")
    assert asked.headers["authorization"].startswith("Basic ")
    for kind in (
        "vnd.docker.distribution.manifest.v2+json",
        "vnd.docker.distribution.manifest.list.v2+json",
        "vnd.oci.image.manifest.v1+json",
        "vnd.oci.image.index.v1+json",
    ):
        assert f"application/{kind}" in asked.headers["accept"]


def test_a_reference_by_digest_is_asked_for_by_digest() -> None:
    """A reference with tag and digest is looked up by its digest."""
    with answering(FOUND) as server:
        assert find(server, f"xfra-wait:1@{DIGEST}") == DIGEST
    assert server.asked[0].target == f"/v2/xfra-wait/manifests/{DIGEST}"


@pytest.mark.parametrize("code", ["MANIFEST_UNKNOWN", "NOT_FOUND"])
def test_a_missing_image_is_none(code: str) -> None:
    """A missing manifest is None; as HEAD has no body, a GET reads the error code."""
    with answering(http(404), http(404, errors(code, "gone"))) as server:
        assert find(server) is None
    assert [request.method for request in server.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (http(401, b"401: no", label="text/plain"), AuthorizationError, "401: no"),
        (http(401), AuthorizationError, "token: 401"),
        (http(403, errors("DENIED", "Your authorization token has expired.")), AuthorizationError, "expired"),
        (http(404, errors("NAME_UNKNOWN", "no such")), RepositoryNotFound, "'xfra-wait' does not exist in 127"),
        (http(404, b"<html>nothing here", label="text/html"), RegistryUnavailable, "nothing here"),
        (http(404), RegistryUnavailable, "answered 404"),
        (http(404, b'{"errors": 3}'), RegistryUnavailable, "answered 404"),
        (http(404, b'{"errors": [3]}'), RegistryUnavailable, "answered 404"),
        (http(200, b"<html>log in", label="text/html"), RegistryUnavailable, "log in"),
        (http(200, more={"Docker-Content-Digest": "sha256:short"}), RegistryUnavailable, "answered 200"),
        (http(400, errors("TAG_INVALID", "bad tag")), RegistryError, "bad tag"),
        (http(500, b"boom"), RegistryUnavailable, "answered 500.*boom"),
        (http(503, errors("UNAVAILABLE", "busy")), RegistryUnavailable, "busy"),
        (http(429, b"slow down"), RegistryUnavailable, "slow down"),
        (http(302, more={"Location": "https://elsewhere.example/"}), RegistryUnavailable, "redirect to https://else"),
        (RESET, RegistryUnavailable, "does not answer"),
        (b"", RegistryUnavailable, "does not answer"),
        (b"SSH-2.0-OpenSSH\r\n", RegistryUnavailable, "does not answer"),
    ],
    ids=[
        "401-text", "401-empty", "403", "name-unknown", "404-html", "404-empty", "404-number", "404-numbers", "html",
        "odd-digest", "400", "500", "503", "429", "redirect", "reset", "closed", "not-http",
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_typed_error(
    answer: bytes, kind: type[EcrWidgetsError], why: str
) -> None:
    """Every other answer is an error of ours that says what was received, never a missing image."""
    with answering(answer) as server, pytest.raises(kind, match=why) as caught:
        find(server)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_takes_the_token_along(status: int) -> None:
    """A redirect is not followed, so that the token is not sent to the other host."""
    with answering(FOUND) as other:
        redirect = http(status, more={"Location": f"{other.url}/v2/xfra-wait/manifests/1"})
        with answering(redirect) as server, pytest.raises(RegistryUnavailable, match="not followed"):
            find(server)
    assert other.asked == []


@pytest.mark.parametrize("first", [http(503), http(429), http(502), RESET, b""])
def test_what_passes_is_asked_again(first: bytes) -> None:
    """A lookup is retried after a busy registry's answer or a lost connection."""
    with answering(first, FOUND) as server:
        assert find(server) == DIGEST
    assert len(server.asked) == 2


def test_a_refused_token_is_not_tried_again() -> None:
    """A 401 is final: one HEAD, and one GET for the reason."""
    with answering(http(401)) as server, pytest.raises(AuthorizationError):
        find(server)
    assert len(server.asked) == 2


@pytest.mark.parametrize(("asked", "waited_s"), [("2", 2.0), ("86400", 30.0)])
def test_retry_after_is_obeyed_within_bounds(pauses: list[float], asked: str, waited_s: float) -> None:
    """Retry-After is obeyed, up to 30 seconds."""
    with answering(http(429, more={"Retry-After": asked}), FOUND) as server:
        assert find(server) == DIGEST
    assert pauses == [waited_s]


def test_a_large_answer_is_not_read_to_its_end() -> None:
    """A large error body is cut in the message."""
    with (
        answering(http(400, b"x" * (8 * 1024 * 1024))) as server,
        pytest.raises(RegistryUnavailable) as caught,
    ):
        find(server)
    assert len(str(caught.value)) < 1000


def test_a_password_of_any_letters_goes_out() -> None:
    """A password with non-ASCII characters is sent without an encoding error."""
    with answering(FOUND) as server:
        token = AuthorizationToken(server.host, "AWS", "pässwörd-ü-†", NOW, NOW)
        assert OciRegistry().find_digest(ImageReference.parse(f"{server.host}/a:1"), token) == DIGEST


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:5000", True),
        ("127.8.9.10", True),
        ("localhost:5000", True),
        ("[::1]:5000", True),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com:5000", False),
        ("10.0.0.1:5000", False),
        ("111222333444.dkr.ecr.us-east-1.amazonaws.com", False),
    ],
)
def test_plain_http_is_for_this_machine_only(
    monkeypatch: pytest.MonkeyPatch, host: str, *, is_ours: bool
) -> None:
    """Only loopback hosts are contacted over plain HTTP, not names that look similar."""
    asked: list[str] = []

    def send(self: object, method: str, url: str, headers: object, **_: object) -> HTTPResponse:
        asked.append(url)
        return HTTPResponse(BytesIO(), {"Docker-Content-Digest": DIGEST}, 200, preload_content=False)

    monkeypatch.setattr(RegistryRepository, "_send", send)
    token = AuthorizationToken(host, "AWS", PASSWORD, NOW, NOW)
    assert is_loopback(host) is is_ours
    OciRegistry().find_digest(ImageReference(host, "a", "1"), token)
    assert asked[0].startswith("http://" if is_ours else "https://")


def test_an_image_without_a_registry_is_refused() -> None:
    """An image without a registry is refused."""
    token = AuthorizationToken("127.0.0.1", "AWS", PASSWORD, NOW, NOW)
    with pytest.raises(RegistryError, match="names no registry"):
        OciRegistry().find_digest(ImageReference.parse("xfra-wait:1"), token)


def test_an_answers_text_is_cut_between_words() -> None:
    """An answer's text is cut between words, so that no part of a password remains at its end."""
    secret = "p" * 400
    for text in (f"{'x ' * 90}Basic {secret}", f'{{"user":"AWS","password":"{secret}"}}', secret):
        for body in (text.encode(), errors("DENIED", text)):
            said = registry_protocol.errors_in(body)[1]
            assert said.endswith("…")
            assert "pp" not in said
            assert len(said) <= 200
    assert registry_protocol.errors_in(b"401: no") == (set(), "401: no")
    assert registry_protocol.errors_in(("ü" * 200).encode())[1] == "ü" * 200
