"""What the sandbox's ECR answers to calls that the runbooks do not make, from AWS's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def session(sandbox_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    for name, value in sandbox_environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return boto3.Session()


@pytest.fixture
def ecr(session: boto3.Session) -> Iterator[Any]:
    client = session.client("ecr")
    yield client
    client.close()


def test_a_scan_finds_nothing(ecr: Any) -> None:
    """No finding is made up, the tag that was asked for is told, and a second scan on one day is refused."""
    ecr.create_repository(repositoryName="answers/scanned")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"})
    for tag in ("1.10", "custom-tag-1"):
        ecr.put_image(repositoryName="answers/scanned", imageManifest=manifest, imageTag=tag)
    asked = {"repositoryName": "answers/scanned", "imageId": {"imageTag": "custom-tag-1"}}
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        ecr.describe_image_scan_findings(**asked)
    assert ecr.start_image_scan(**asked)["imageId"]["imageTag"] == "custom-tag-1"
    with pytest.raises(ClientError, match="LimitExceededException"):
        ecr.start_image_scan(**asked)
    told = ecr.describe_image_scan_findings(**asked)
    assert told["imageId"]["imageTag"] == "custom-tag-1"
    found = told["imageScanFindings"]
    assert (found["findings"], found["findingSeverityCounts"]) == ([], {})
    ecr.delete_repository(repositoryName="answers/scanned", force=True)


def test_each_answer_has_its_time(session: boto3.Session) -> None:
    """As AWS's do, so that a client can learn from a refusal that its clock is wrong."""
    signed = session.client(
        "ecr", aws_access_key_id=session.get_credentials().access_key, aws_secret_access_key="another"
    )
    with pytest.raises(ClientError, match="InvalidSignatureException") as refused:
        signed.describe_repositories()
    answers = [refused.value.response, session.client("sts").get_caller_identity()]
    for answer in answers:
        theirs = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        assert abs(datetime.now(UTC) - theirs) < timedelta(minutes=4)


@pytest.mark.parametrize(
    "asked", [{"encryptionType": "aes256"}, {"encryptionType": "AES256", "kmsKey": "alias/team"}]
)
def test_an_encryption_that_aws_refuses_is_refused(ecr: Any, asked: dict[str, str]) -> None:
    """And no repository is made."""
    with pytest.raises(ClientError, match="InvalidParameterException"):
        ecr.create_repository(repositoryName="answers/refused", encryptionConfiguration=asked)
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        ecr.describe_repositories(repositoryNames=["answers/refused"])


def test_what_the_sandbox_has_not_is_said_at_once(ecr: Any) -> None:
    """As a refusal with a reason: a failure would be tried again and again."""
    calls = (
        lambda: ecr.describe_pull_through_cache_rules(),
        lambda: ecr.get_account_setting(name="BASIC_SCAN_TYPE_VERSION"),
        lambda: ecr.get_download_url_for_layer(repositoryName="any", layerDigest="sha256:" + "0" * 64),
    )
    for call in calls:
        with pytest.raises(ClientError, match="is not in the sandbox") as refused:
            call()
        told = refused.value.response["ResponseMetadata"]
        assert (told["HTTPStatusCode"], told["RetryAttempts"]) == (400, 0)


def test_the_identity_is_a_user_of_the_sandbox(session: boto3.Session) -> None:
    """In the form that AWS has for users."""
    client = session.client("sts")
    told = client.get_caller_identity()
    assert told["Arn"] == f"arn:aws:iam::{told['Account']}:user/sandbox"
    client.close()
