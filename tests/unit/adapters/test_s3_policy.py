"""The IAM policy in the documentation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecr_widgets.adapters.locks import Holder
from ecr_widgets.adapters.s3_leases import S3Leases
from ecr_widgets.adapters.s3_store import Retention
from ecr_widgets.errors import Replaced
from ecr_widgets.model.bucket_path import BucketPath
from tests.buckets import Buckets

POLICY = Path(__file__).parents[3] / "docs" / "s3-policy.json"
ACTIONS = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
}


def test_the_policy_allows_what_is_called_and_no_more(buckets: Buckets) -> None:
    """The policy allows what the store and leases call, including retention, plus deletion, which only probes need."""
    asked: set[str] = set()

    def note(model: object, params: dict[str, object], **_: object) -> None:
        name = model.name  # type: ignore[attr-defined]
        asked.add(ACTIONS[name])
        if "x-amz-object-lock-mode" in params["headers"]:  # type: ignore[operator]
            asked.add("s3:PutObjectRetention")

    client = buckets.client()
    client.meta.events.register("before-call.s3", note)
    place = BucketPath.parse(f"s3://{buckets.new_bucket(locked=True)}/p")
    store = buckets.store(place, client=client, retention=Retention.parse("governance 1"))
    S3Leases(store, Holder("run", "host", 1)).take("leases/run/1.json", "run").release()
    store.put("a", b"", replacing=None)
    with pytest.raises(Replaced):
        store.put("a", b"", replacing=None)
    assert list(store.names()) == ["a"]
    allowed = {action for each in json.loads(POLICY.read_text())["Statement"] for action in each["Action"]}
    assert allowed == asked | {"s3:DeleteObject"}
