"""AWS's errors translated into ours, with botocore's own stubber."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.errors import (
    AuthorizationError,
    EcrWidgetsError,
    RegistryError,
    RepositoryNotFound,
    SettingsError,
)


@pytest.fixture
def ecr() -> BotoEcr:
    return BotoEcr(
        boto3.Session(
            aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="nosecret", region_name="us-east-1"
        )
    )


@pytest.mark.parametrize(
    ("code", "kind", "why"),
    [
        ("AccessDeniedException", AuthorizationError, "ecr:DescribeImages allowed"),
        ("ExpiredTokenException", AuthorizationError, "renew the login"),
        ("RepositoryNotFoundException", RepositoryNotFound, "check the name and the region"),
        ("ServerException", RegistryError, "ServerException"),
    ],
)
def test_awss_errors_name_the_action(ecr: BotoEcr, code: str, kind: type[EcrWidgetsError], why: str) -> None:
    """The message names the IAM action or says what to try."""
    with Stubber(ecr._ecr) as stub:
        stub.add_client_error("describe_images", code, "no", 400)
        with pytest.raises(kind, match=why):
            ecr.find_image("xfra-wait", "1")


@pytest.mark.parametrize(
    ("ahead", "hint"),
    [
        (timedelta(hours=1), "; this machine's clock is 1 h ahead of AWS's: set it, then run again"),
        (-timedelta(hours=25), "; this machine's clock is 1 d behind AWS's: set it, then run again"),
        (
            timedelta(minutes=1),
            "; renew the login of your profile, or have ecr:DescribeImages allowed for it",
        ),
    ],
)
def test_a_wrong_clock_is_told_from_a_wrong_key(ecr: BotoEcr, ahead: timedelta, hint: str) -> None:
    """If AWS refuses a signature, and the time of its answer is far from this machine's, the clock is named."""
    theirs = {"HTTPHeaders": {"date": format_datetime(datetime.now(UTC) - ahead, usegmt=True)}}
    with Stubber(ecr._ecr) as stub:
        stub.add_client_error(
            "describe_images", "InvalidSignatureException", "Signature expired", 400, response_meta=theirs
        )
        with pytest.raises(AuthorizationError) as caught:
            ecr.find_image("xfra-wait", "1")
    assert str(caught.value).endswith(hint)


def test_what_awss_sentence_says_is_not_said_twice(ecr: BotoEcr) -> None:
    """A missing repository is reported in AWS's own sentence, without the code that repeats it."""
    with Stubber(ecr._ecr) as stub:
        stub.add_client_error(
            "describe_images", "RepositoryNotFoundException", "The repository 'app' does not exist", 400
        )
        with pytest.raises(RepositoryNotFound) as caught:
            ecr.find_image("app", "1")
    told = "ecr:DescribeImages failed: The repository 'app' does not exist; check the name and the region"
    assert str(caught.value) == told


def test_no_region_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a region the error names AWS_REGION."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    session = boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="nosecret")
    with pytest.raises(SettingsError, match="AWS_REGION"):
        BotoEcr(session).authorization_token()


def test_an_empty_region_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty variables, as of a schedule whose own variable is not set, are said to name no region."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")
    for name, value in (("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "nosecret")):
        monkeypatch.setenv(name, value)
    for call in (BotoEcr().authorization_token, BotoEcr().identity):
        with pytest.raises(SettingsError, match="no AWS region is set"):
            call()


def test_the_region_is_the_one_that_every_aws_tool_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """AWS_REGION is enough and overrides AWS_DEFAULT_REGION; a named profile uses its own region, an argument overrides all."""
    (tmp_path / "config").write_text("[profile other]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert BotoEcr()._aws.session.region_name == "eu-west-1"
    assert BotoEcr(profile="other")._aws.session.region_name == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert BotoEcr()._aws.session.region_name == "eu-west-1"
    assert BotoEcr(region="us-west-2")._aws.session.region_name == "us-west-2"


def test_retries_are_botocores_standard_ones(ecr: BotoEcr) -> None:
    """Retries use botocore's standard mode, with back-off and a limit."""
    assert ecr._ecr.meta.config.retries["mode"] == "standard"
