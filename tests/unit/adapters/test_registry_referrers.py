"""Harmful referrer lists of a registry or of anyone who can push, over real sockets on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.adapters.registry_referrers import MAX_ENTRIES, MAX_PAGES
from ecr_widgets.errors import RegistryError, RegistryUnavailable, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import IMAGE_INDEX, IMAGE_MANIFEST, Referrers, fallback_tag
from tests.unit.adapters.scripted import Request, Scripted, answering, http

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SUBJECT = "sha256:" + "a" * 64
REFERRER = json.dumps(
    {
        "mediaType": IMAGE_MANIFEST,
        "artifactType": "text/evidence",
        "subject": {"digest": SUBJECT},
        "annotations": {"made": "here"},
    }
).encode()
DIGEST = "sha256:" + hashlib.sha256(REFERRER).hexdigest()
UNKNOWN = http(404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).encode())
NO_ROUTE = http(404, b"404 page not found", label="text/plain")
IMMUTABLE = http(400, json.dumps({"errors": [{"code": "TAG_INVALID", "message": "immutable"}]}).encode())


def entry(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"mediaType": IMAGE_MANIFEST, "digest": f"sha256:{number:064x}", "size": 7, **more}


def index(*entries: Any, more: dict[str, str] | None = None) -> bytes:
    return http(200, json.dumps({"manifests": entries}).encode(), label=IMAGE_INDEX, more=more or {})


def token(server: Scripted) -> AuthorizationToken:
    return AuthorizationToken(server.host, "AWS", "password", NOW, NOW + timedelta(hours=12))


def listed(server: Scripted) -> Referrers:
    image = ImageReference.parse(f"{server.host}/a@{SUBJECT}")
    return OciRegistry().list_referrers(image, token(server))


def put(server: Scripted) -> None:
    name = ImageReference.parse(f"{server.host}/a@{DIGEST}")
    OciRegistry().put_manifest(name, REFERRER, IMAGE_MANIFEST, token(server))


def test_pages_that_never_end_are_left() -> None:
    """A list whose next page is itself is read up to the page limit and reported as cut."""
    link = f'</v2/a/referrers/{SUBJECT}?page=2>; rel="next"'
    with answering(index(entry(), more={"Link": link})) as server:
        found = listed(server)
    assert len(server.asked) == len(found.entries) == MAX_PAGES
    assert "pages" in found.left_out
    assert server.asked[1].target == f"/v2/a/referrers/{SUBJECT}?page=2"


def test_a_bloated_list_is_cut() -> None:
    """A list is cut after the maximum number of entries and reported as cut."""
    with answering(index(*map(entry, range(MAX_ENTRIES + 1)))) as server:
        found = listed(server)
    assert (len(found.entries), found.left_out) == (MAX_ENTRIES, f"more than {MAX_ENTRIES:,} are listed")


@pytest.mark.parametrize("place", ["/v2/b/tags/list", "elsewhere/x", "http://other.example/y?z=1"])
def test_the_next_page_is_never_asked_elsewhere(place: str) -> None:
    """A next page at another path or host is not requested, and the list is reported as cut."""
    with answering(index(entry(), more={"Link": f'<{place}>; rel="next"'})) as server:
        found = listed(server)
    assert len(server.asked) == 1
    assert "another address" in found.left_out


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"manifests": [3]}', b'{"manifests": {}}', b"<html>", b"{" * 9000]
)
def test_what_is_no_list_is_an_error(body: bytes) -> None:
    """An answer that is not a list is an error, not an empty list."""
    with answering(http(200, body)) as server, pytest.raises(RegistryUnavailable):
        listed(server)


def test_long_texts_of_a_list_are_cut() -> None:
    """Types and annotations are cut to 200 characters, since anyone can write them."""
    with answering(index(entry(artifactType="t" * 9000, annotations={"n" * 9000: "v" * 9000}))) as server:
        (found,) = listed(server).entries
    assert (len(found.artifact_type), *(len(t) for each in found.annotations.items() for t in each)) == (
        200,
    ) * 3


@pytest.mark.parametrize(
    "under_tag", [UNKNOWN, http(200, REFERRER, label=IMAGE_MANIFEST), http(200, b"{}", label=IMAGE_INDEX)]
)
def test_what_is_under_the_fallback_tag_must_be_a_list(under_tag: bytes) -> None:
    """If the fallback tag is missing or is no index, there are no referrers and no error."""
    with answering(lambda asked: NO_ROUTE if "/referrers/" in asked.target else under_tag) as server:
        assert listed(server) == Referrers(by_tag=True)


def _registry(under_tag: list[bytes], took: Callable[[Request], bytes | None] = lambda _: None) -> Any:
    """A registry without the referrers API; `under_tag` has the contents of the fallback tag so far."""

    def answer(asked: Request) -> bytes:
        if "/referrers/" in asked.target:
            return NO_ROUTE
        if fallback_tag(SUBJECT) not in asked.target:
            return http(201)
        if asked.method == "PUT":
            refused = took(asked)
            if refused is None:
                under_tag.append(asked.body)
            return refused or http(201)
        if not under_tag:
            return UNKNOWN
        digest = "sha256:" + hashlib.sha256(under_tag[-1]).hexdigest()
        return http(200, under_tag[-1], label=IMAGE_INDEX, more={"Docker-Content-Digest": digest})

    return answer


def test_an_entry_under_the_fallback_tag_says_all_that_a_list_does() -> None:
    """An entry under the fallback tag has type, size and annotations; others stay, and a second put adds nothing."""
    under_tag = [json.dumps({"manifests": [entry(1, platform={"os": "linux"})]}).encode()]
    with answering(_registry(under_tag)) as server:
        put(server)
        put(server)
    assert len(under_tag) == 2
    first, second = json.loads(under_tag[-1])["manifests"]
    assert first == entry(1, platform={"os": "linux"})
    assert second == {
        "mediaType": IMAGE_MANIFEST,
        "digest": DIGEST,
        "size": len(REFERRER),
        "artifactType": "text/evidence",
        "annotations": {"made": "here"},
    }


def test_an_entry_that_another_writer_overwrote_is_written_again() -> None:
    """If another writer replaces the list under the fallback tag, it is written again with both entries."""
    under_tag: list[bytes] = []

    def overwrite(asked: Request) -> bytes | None:
        if len(under_tag) == 0:
            under_tag.append(json.dumps({"manifests": [entry(5)]}).encode())
            return http(201)
        return None

    with answering(_registry(under_tag, overwrite)) as server:
        put(server)
    digests = [each["digest"] for each in json.loads(under_tag[-1])["manifests"]]
    assert digests == [entry(5)["digest"], DIGEST]


def test_a_list_that_others_always_overwrite_is_given_up() -> None:
    """If the list is overwritten each time, the attempt ends with an error that says so."""
    with (
        answering(_registry([], lambda _: http(201))) as server,
        pytest.raises(RegistryError, match="overwriting"),
    ):
        put(server)


def test_a_fallback_tag_that_must_not_move_is_named() -> None:
    """If the fallback tag is immutable, the error names the tag pattern to exclude."""
    with (
        answering(_registry([], lambda _: IMMUTABLE)) as server,
        pytest.raises(TagImmutable, match=r"sha256-\*"),
    ):
        put(server)


def test_a_registry_that_does_not_list_what_it_took_is_not_believed() -> None:
    """A put is an error if the registry's list does not contain it, even after a 201 with the subject's name."""

    def answer(asked: Request) -> bytes:
        return http(201, more={"OCI-Subject": SUBJECT}) if asked.method == "PUT" else index(entry(1))

    with answering(answer) as server, pytest.raises(RegistryError, match="is not listed"):
        put(server)
