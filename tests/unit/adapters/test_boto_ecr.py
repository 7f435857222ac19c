"""AWS's errors translated into ours, with botocore's own stubber."""

from __future__ import annotations

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
