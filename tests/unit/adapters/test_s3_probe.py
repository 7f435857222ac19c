"""A store is probed before it is trusted."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ecr_widgets.adapters.s3_probe import probe
from ecr_widgets.errors import SettingsError
from ecr_widgets.model.bucket_path import BucketPath
from tests.buckets import Buckets


def refusal(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "x")  # type: ignore[typeddict-item]


class Odd:
    """A client of an almost S3-compatible store."""

    def __init__(self, client: Any, *, ignores: str = "", sticky: bool = False, keeps: bool = False) -> None:
        self._client = client
        self._ignores = ignores
        self._sticky = sticky
        self._keeps = keeps
        self._deleted: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, **told: Any) -> Any:
        told.pop(self._ignores, None)
        if self._sticky and told["Key"] in self._deleted:
            raise refusal("PreconditionFailed", 412)
        return self._client.put_object(**told)

    def delete_object(self, **told: Any) -> Any:
        if self._keeps:
            raise refusal("AccessDenied", 403)
        self._deleted.add(told["Key"])
        return self._client.delete_object(**told)


def test_a_real_store_passes_and_nothing_is_left(s3: Buckets) -> None:
    """A real store, with or without versions, passes the probe, which leaves nothing behind."""
    for bucket in (s3.bucket, s3.new_bucket(versioned=True)):
        store = s3.store(BucketPath.parse(f"s3://{bucket}/probe"))
        assert "compares and swaps: of 8 creates at once one wins" in probe(store)
        assert list(store.names(prefix="leases/")) == []


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"ignores": "IfNoneMatch"}, "lets 8 of 8 create one object"),
        ({"ignores": "IfMatch"}, "replaces what was replaced already"),
        ({"sticky": True}, "does not create again what was deleted"),
    ],
)
def test_a_store_that_does_not_compare_and_swap_is_refused_in_words(
    buckets: Buckets, odd: dict[str, Any], why: str
) -> None:
    """A store that ignores conditions, or cannot recreate a deleted name, is refused with the reason; products do both."""
    store = buckets.store(client=Odd(buckets.client(), **odd))
    with pytest.raises(SettingsError, match=f"{why}: it does not support conditional writes"):
        probe(store)


def test_a_host_that_may_delete_nothing_passes(buckets: Buckets) -> None:
    """A host without the right to delete passes, since leases are released by a swap."""
    store = buckets.store(client=Odd(buckets.client(), keeps=True))
    assert "leases cannot be deleted, and need not be" in probe(store)
