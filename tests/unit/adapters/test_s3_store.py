"""A bucket behind an unreliable network, and what is kept permanently."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from ecr_widgets.adapters.s3_store import Retention, S3Store
from ecr_widgets.errors import Replaced, SettingsError
from ecr_widgets.model.bucket_path import BucketPath
from tests.buckets import Buckets
from tests.fakes import FakeClock, World


class Line:
    """A client whose calls fail as scripted: before they are sent, or after they took effect."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.before: list[Exception | None] = []
        self.after: list[Exception | None] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.puts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, **told: Any) -> Any:
        self.puts += 1
        if self.before and (error := self.before.pop(0)):
            raise error
        reply = self._client.put_object(**told)
        if self.after and (error := self.after.pop(0)):
            self.meanwhile()
            raise error
        return reply


def refusal(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # type: ignore[typeddict-item]


LOST = ConnectionClosedError(endpoint_url="x")


@pytest.fixture
def line(buckets: Buckets) -> Line:
    return Line(buckets.client())


@pytest.fixture
def store(buckets: Buckets, line: Line) -> S3Store:
    return buckets.store(client=line, clock=FakeClock(World()))


def test_a_put_whose_reply_was_lost_was_done_once(store: S3Store, line: Line) -> None:
    """A put whose reply was lost is retried, and the conflict with its own first write counts as success."""
    line.after = [ReadTimeoutError(endpoint_url="x")]
    first = store.put("a", b"1", replacing=None)
    line.after = [LOST]
    second = store.put("a", b"2", replacing=first)
    assert store.read("a") == (b"2", second)
    assert line.puts == 4


def test_equal_content_of_somebody_else_is_not_taken_for_ones_own(
    store: S3Store, line: Line, buckets: Buckets
) -> None:
    """Equal content that another host wrote is not taken for one's own: the put is reported as replaced."""
    buckets.store(store.place).put("a", b"1", replacing=None)
    line.before = [LOST]
    with pytest.raises(Replaced, match=r"s3://.*/a was changed by somebody else"):
        store.put("a", b"1", replacing=None)


def test_a_put_that_was_replaced_before_its_reply_was_missed_says_so(
    store: S3Store, line: Line, buckets: Buckets
) -> None:
    """A put that was replaced before its lost reply's retry is reported as replaced, and the other content stays."""
    other = buckets.store(store.place)

    def replace() -> None:
        stored = other.read("a")
        assert stored is not None
        other.put("a", b"2", replacing=stored.stamp)

    line.after, line.meanwhile = [LOST], replace
    with pytest.raises(Replaced):
        store.put("a", b"1", replacing=None)
    stored = other.read("a")
    assert stored is not None
    assert stored.content == b"2"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ConditionalRequestConflict", 409),
        ("SlowDown", 503),
        ("InternalError", 500),
        ("RequestTimeTooSkewed", 503),
    ],
)
def test_what_may_pass_is_tried_again(store: S3Store, line: Line, code: str, status: int) -> None:
    """A put is retried after a conflict, throttling or a server fault."""
    line.before = [refusal(code, status)] * 3
    store.put("a", b"1", replacing=None)
    assert line.puts == 4


def test_a_store_that_is_gone_is_waited_for_a_while(store: S3Store, line: Line) -> None:
    """A put to an unreachable store is retried for one to two minutes, then raises an error."""
    line.before = [LOST] * 1000
    before_s = store._clock.monotonic_s()
    with pytest.raises(OSError, match=r"s3://.* did not store 'a': Connection was closed"):
        store.put("a", b"1", replacing=None)
    assert 60 < store._clock.monotonic_s() - before_s < 120


def test_a_refusal_is_not_tried_again(store: S3Store, line: Line) -> None:
    """A refused put is not retried, and the error has S3's code."""
    line.before = [refusal("AccessDenied", 403)]
    with pytest.raises(PermissionError, match="AccessDenied"):
        store.put("a", b"1", replacing=None)
    assert line.puts == 1


def test_a_bucket_that_does_not_exist_is_an_error(buckets: Buckets) -> None:
    """A bucket that does not exist is an error, not an empty store."""
    store = buckets.store(BucketPath.parse("s3://no-such-bucket"))
    for ask in (
        lambda: store.read("a"),
        lambda: list(store.names()),
        lambda: store.put("a", b"", replacing="x"),
    ):
        with pytest.raises(OSError, match="NoSuchBucket"):
            ask()


def test_what_belongs_to_runs_has_prefixes_of_its_own(buckets: Buckets) -> None:
    """Runs, approvals and leases have their own key prefixes, but the store's names are as in a folder."""
    store = buckets.store()
    names = (
        "20261126T053410Z-b198b3-release.ipynb",
        ".20261126T053410Z-b198b3.approved",
        "leases/target/1.json",
    )
    for name in names:
        store.put(name, b"", replacing=None)
    listed = buckets.client().list_objects_v2(Bucket=store.place.bucket, Prefix=store.place.key)
    assert [each["Key"].removeprefix(f"{store.place.key}/") for each in listed["Contents"]] == [
        "20261126T053410Z-b198b3-release.ipynb",
        "approvals/20261126T053410Z-b198b3.json",
        "leases/target/1.json",
    ]
    assert list(store.names()) == [names[0]]
    assert list(store.names(prefix="leases/")) == [names[2]]


def test_only_what_is_final_is_kept_for_good(s3: Buckets) -> None:
    """With Object Lock only the final version is retained; drafts can be deleted."""
    bucket = s3.new_bucket(locked=True)
    store = s3.store(BucketPath.parse(f"s3://{bucket}"), retention=Retention.parse("compliance 3"))
    draft = store.put("a", b"1", replacing=None, final=False)
    store.put("a", b"2", replacing=draft)
    client = s3.client()
    versions = client.list_object_versions(Bucket=bucket)["Versions"]
    final = next(each["VersionId"] for each in versions if each["IsLatest"])
    for each in versions:
        asked = {"Bucket": bucket, "Key": "a", "VersionId": each["VersionId"]}
        if each["VersionId"] != final:
            client.delete_object(**asked)
            continue
        kept = client.get_object_retention(**asked)["Retention"]
        assert kept["Mode"] == "COMPLIANCE"
        assert 2 <= (kept["RetainUntilDate"] - datetime.now(UTC)).days <= 3
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(**asked)


def test_a_bucket_with_versions_is_compared_and_swapped_too(s3: Buckets) -> None:
    """Conditional puts work in a bucket with versions, and a removed name can be created again."""
    store = s3.store(BucketPath.parse(f"s3://{s3.new_bucket(versioned=True)}"))
    first = store.put("a", b"1", replacing=None)
    with pytest.raises(Replaced):
        store.put("a", b"2", replacing=None)
    second = store.put("a", b"2", replacing=first)
    with pytest.raises(Replaced):
        store.put("a", b"3", replacing=first)
    store.remove("a", second)
    assert store.read("a") is None
    store.put("a", b"3", replacing=None)


@pytest.mark.parametrize(
    "text", ["", "compliance", "compliance 0", "compliance -1", "forever 3", "governance x"]
)
def test_a_retention_that_cannot_be_kept_is_refused(text: str) -> None:
    """An invalid retention is refused rather than ignored."""
    with pytest.raises(SettingsError, match="compliance 365"):
        Retention.parse(text)
