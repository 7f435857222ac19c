"""ECR and STS over real sockets on loopback: retries, answers that are not from AWS, and unusable settings."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.errors import (
    AuthorizationError,
    EcrWidgetsError,
    ImageNotFound,
    InputError,
    RegistryError,
    RegistryUnavailable,
    SettingsError,
)
from ecr_widgets.model.encryption import Encryption
from tests.unit.adapters.odd_members import with_odd_members
from tests.unit.adapters.scripted import RESET, Scripted, answering, http

CALLS: dict[str, Callable[[BotoEcr], object]] = {
    "sts:GetCallerIdentity": lambda ecr: ecr.identity(),
    "ecr:GetAuthorizationToken": lambda ecr: ecr.authorization_token(),
    "ecr:DescribeRepositories": lambda ecr: ecr.find_repository("xfra-wait"),
    "ecr:CreateRepository": lambda ecr: ecr.create_repository(
        "xfra-wait", tags_immutable=True, scan_on_push=True
    ),
    "ecr:DescribeImages": lambda ecr: ecr.find_image("xfra-wait", "1"),
}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Retry pauses, which are recorded instead of slept."""
    asked_s: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", asked_s.append)
    return asked_s


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user with two keys, a region and no other settings; returns the path of the config file."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "nosecret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "config"


def client(server: Scripted) -> BotoEcr:
    os.environ["AWS_ENDPOINT_URL"] = server.url  # restored by the fixture above
    return BotoEcr()


@pytest.mark.parametrize("tokens", ["aaaa", "abab", "abcd"])
def test_a_list_that_does_not_end_is_an_error(tokens: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated page token, or more pages than the limit, is an error instead of a partial list."""
    monkeypatch.setattr("ecr_widgets.adapters.boto_ecr._MOST_PAGES", 4)
    lists: tuple[Callable[[BotoEcr], object], ...] = (
        lambda ecr: [*ecr.list_images("xfra-wait")],
        lambda ecr: ecr.list_repositories(),
    )
    for read in lists:
        pages = [
            http(200, json.dumps({"imageDetails": [], "repositories": [], "nextToken": token}).encode())
            for token in tokens
        ]
        with answering(*pages) as server, pytest.raises(RegistryError, match="does not end"):
            read(client(server))


MOMENT = datetime(2026, 9, 21, 14, 13, 20, 500_000, tzinfo=UTC)


def pushed(told: object, monkeypatch: pytest.MonkeyPatch) -> datetime | None:
    """Return when an image was pushed if ECR reports this time."""
    page = json.dumps({"imageDetails": [{"imageDigest": "sha256:" + "a" * 64, "imagePushedAt": told}]})
    with answering(http(200, page.encode())) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        ((image,),) = BotoEcr().list_images("xfra-wait")
    return image.pushed_at


@pytest.mark.parametrize("told", [MOMENT.timestamp(), str(MOMENT.timestamp()), "2026-09-21T14:13:20.5Z"])
def test_times_are_read_as_botocore_reads_them(told: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time in any of AWS's forms is read as UTC."""
    assert pushed(told, monkeypatch) == MOMENT


@pytest.mark.parametrize(
    "told", [1e300, -1e18, 10**400, "1e300", "0001-01-01T00:00:00+05:00", "never", {}, []]
)
def test_a_time_that_is_none_is_an_error(told: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid time is an error of ours, not a missing value."""
    with pytest.raises(RegistryError):
        pushed(told, monkeypatch)


def refusal(status: int, code: str) -> bytes:
    body = json.dumps({"__type": code, "message": "no"}).encode()
    return http(status, body, label="application/x-amz-json-1.1")


@pytest.mark.parametrize("action", CALLS)
@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"<html><body>log in", label="text/html"),
        http(200, b"<html><body/></html>", label="text/html"),
        http(200, b'{"deploy_id": "timeo'),
        http(200, b"{}"),
        http(200),
        http(500, b"<html>oops", label="text/html"),
        RESET,
        b"",
    ],
    ids=["html", "xml", "cut", "other", "empty", "html-500", "reset", "closed"],
)
def test_what_is_not_aws_is_unavailable(action: str, answer: bytes) -> None:
    """A page from something between us and AWS, or no answer, is reported as unavailable with the action."""
    with answering(answer) as server, pytest.raises(RegistryUnavailable, match=action):
        CALLS[action](client(server))


@pytest.mark.parametrize("action", [action for action in CALLS if action.startswith("ecr:")])
def test_throttling_is_retried_and_ends(action: str, pauses: list[float]) -> None:
    """A throttled call is tried four times with back-off, then raises a retryable error."""
    with (
        answering(refusal(400, "ThrottlingException")) as server,
        pytest.raises(RegistryUnavailable) as caught,
    ):
        CALLS[action](client(server))
    assert caught.value.retryable
    assert (len(server.asked), len(pauses)) == (4, 3)


@pytest.mark.parametrize("action", [action for action in CALLS if action.startswith("ecr:")])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "AccessDeniedException"),
        (403, "ExpiredTokenException"),
        (400, "UnrecognizedClientException"),
        (403, "SomethingNew"),
        (401, ""),
    ],
)
def test_a_refusal_is_not_retried_and_names_the_action(action: str, status: int, code: str) -> None:
    """A refusal is not retried, and the error names the IAM action."""
    with (
        answering(refusal(status, code)) as server,
        pytest.raises(AuthorizationError, match=f"have {action} allowed"),
    ):
        CALLS[action](client(server))
    assert len(server.asked) == 1


def test_a_passing_failure_is_retried(pauses: list[float]) -> None:
    """A call that gets one 503 is retried and succeeds."""
    token = {
        "authorizationToken": base64.b64encode(b"AWS:password-1").decode(),
        "expiresAt": 1795478400,
        "proxyEndpoint": "https://111222333444.dkr.ecr.us-east-1.amazonaws.com",
    }
    good = http(200, json.dumps({"authorizationData": [token]}).encode(), label="application/x-amz-json-1.1")
    with answering(refusal(503, "ServiceUnavailable"), good) as server:
        found = client(server).authorization_token()
    assert (found.user, found.password) == ("AWS", "password-1")
    assert found.registry == "111222333444.dkr.ecr.us-east-1.amazonaws.com"
    assert found.expires_at == datetime.fromtimestamp(1795478400, UTC)
    assert len(pauses) == 1


def test_nobody_listening_is_unavailable() -> None:
    """If nothing listens, the error names the action and AWS_ENDPOINT_URL."""
    with pytest.raises(RegistryUnavailable, match=r"sts:GetCallerIdentity got no answer.*AWS_ENDPOINT_URL"):
        BotoEcr().identity()


def broken_profile(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")


def broken_file(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write_text("[default\nregion")


def half_a_key(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def odd_region(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us east/1")
    monkeypatch.setenv("AWS_REGION", "us east/1")


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (broken_profile, "nobody"),
        (broken_file, "config"),
        (half_a_key, "AWS_SECRET_ACCESS_KEY"),
        (odd_region, "us east/1"),
    ],
)
def test_unusable_settings_are_said_as_that(
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[Path, pytest.MonkeyPatch], None],
    why: str,
) -> None:
    """Creating the adapter never fails; the first call reports what is wrong with the settings."""
    break_it(settings, monkeypatch)
    ecr = BotoEcr()
    with pytest.raises(SettingsError, match=why):
        ecr.authorization_token()


def test_no_identity_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the error names the action and AWS_PROFILE."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AuthorizationError, match=r"no AWS identity for ecr:DescribeImages.*AWS_PROFILE"):
        BotoEcr().find_image("xfra-wait", "1")


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "InvalidClientTokenId"])
def test_a_key_that_a_region_does_not_know_may_be_the_regions_fault(code: str) -> None:
    """A region that the account has not enabled answers as if the key were wrong: the hint names both."""
    with (
        answering(refusal(403, code)) as server,
        pytest.raises(AuthorizationError, match=r"renew the login.*the region has to be enabled"),
    ):
        client(server).authorization_token()


@pytest.fixture
def stubbed() -> tuple[BotoEcr, Stubber]:
    ecr = BotoEcr()
    return ecr, Stubber(ecr._ecr)


def repository(**more: Any) -> dict[str, Any]:
    return {
        "repositoryArn": "arn:aws:ecr:us-east-1:111222333444:repository/xfra-wait",
        "registryId": "111222333444",
        "repositoryName": "xfra-wait",
        "repositoryUri": "111222333444.dkr.ecr.us-east-1.amazonaws.com/xfra-wait",
        "createdAt": datetime(2026, 11, 23, tzinfo=UTC),
        **more,
    }


@pytest.mark.parametrize(
    ("mutability", "is_immutable"),
    [("MUTABLE", False), ("IMMUTABLE", True), ("IMMUTABLE_WITH_EXCLUSION", True), (None, False)],
)
def test_a_repository_is_read_with_its_defaults(
    stubbed: tuple[BotoEcr, Stubber], mutability: str | None, *, is_immutable: bool
) -> None:
    """Settings that AWS leaves out have AWS's defaults."""
    ecr, stub = stubbed
    more = {} if mutability is None else {"imageTagMutability": mutability}
    with stub:
        stub.add_response("describe_repositories", {"repositories": [repository(**more)]})
        found = ecr.find_repository("xfra-wait")
    assert found is not None
    assert (found.tags_immutable, found.scan_on_push, found.encryption) == (is_immutable, False, "AES256")


@pytest.mark.parametrize(
    ("name", "is_created"),
    [("team/app", True), ("team2/app", False), ("team", False), ("mirror/app", False), ("app", False)],
)
def test_a_template_says_whether_a_push_creates_a_repository(
    stubbed: tuple[BotoEcr, Stubber], name: str, *, is_created: bool
) -> None:
    """A push creates what a template for pushes covers, on any page; a template for mirrors, or for another prefix, does not."""
    ecr, stub = stubbed
    pages = [
        ({}, [{"prefix": "mirror", "appliedFor": ["PULL_THROUGH_CACHE", "REPLICATION"]}], {"nextToken": "2"}),
        ({"nextToken": "2"}, [{"prefix": "team", "appliedFor": ["CREATE_ON_PUSH"]}], {}),
    ]
    with stub:
        for asked, templates, more in pages:
            answer = {"repositoryCreationTemplates": templates, **more}
            stub.add_response("describe_repository_creation_templates", answer, asked)
        assert ecr.creates_on_push(name) == is_created


def test_the_template_for_all_others_covers_any_name(stubbed: tuple[BotoEcr, Stubber]) -> None:
    """The template with the prefix ROOT is for every repository."""
    ecr, stub = stubbed
    with stub:
        answer = {"repositoryCreationTemplates": [{"prefix": "ROOT", "appliedFor": ["CREATE_ON_PUSH"]}]}
        stub.add_response("describe_repository_creation_templates", answer, {})
        assert ecr.creates_on_push("any/name")


@pytest.mark.parametrize(
    ("name", "is_created"),
    [
        ("quay.io/team/app", True),
        ("hub/app", True),
        ("quay.io", False),
        ("quay.iot/app", False),
        ("app", False),
    ],
)
def test_a_cache_rule_says_whether_a_pull_creates_a_repository(
    stubbed: tuple[BotoEcr, Stubber], name: str, *, is_created: bool
) -> None:
    """A pull creates what is below a rule's prefix, on any page; the rule for all other names makes nothing a mirror."""
    ecr, stub = stubbed
    pages = [
        ({}, ["ROOT", "hub/"], {"nextToken": "2"}),
        ({"nextToken": "2"}, ["quay.io"], {}),
    ]
    with stub:
        for asked, prefixes, more in pages:
            rules = [{"ecrRepositoryPrefix": each} for each in prefixes]
            stub.add_response(
                "describe_pull_through_cache_rules", {"pullThroughCacheRules": rules, **more}, asked
            )
        assert ecr.creates_on_pull(name) == is_created


def test_a_missing_repository_or_image_is_none(stubbed: tuple[BotoEcr, Stubber]) -> None:
    """A missing repository or image is None, not an error."""
    ecr, stub = stubbed
    with stub:
        stub.add_client_error("describe_repositories", "RepositoryNotFoundException")
        assert ecr.find_repository("xfra-wait") is None
        stub.add_client_error("describe_images", "ImageNotFoundException")
        assert ecr.find_image("xfra-wait", "1") is None


def test_a_repository_made_meanwhile_is_taken_as_it_stands(stubbed: tuple[BotoEcr, Stubber]) -> None:
    """If the repository was created in the meantime, it is returned with its own settings and as not created by this call."""
    ecr, stub = stubbed
    with stub:
        stub.add_client_error("create_repository", "RepositoryAlreadyExistsException")
        stub.add_response(
            "describe_repositories", {"repositories": [repository(imageTagMutability="IMMUTABLE")]}
        )
        found, created = ecr.create_repository("xfra-wait", tags_immutable=False, scan_on_push=False)
    assert (found.tags_immutable, created) == (True, False)


@pytest.mark.parametrize(
    ("reference", "asked"),
    [("1", {"imageTag": "1"}), ("sha256:" + "a" * 64, {"imageDigest": "sha256:" + "a" * 64})],
)
def test_an_image_is_asked_for_by_tag_or_digest(
    stubbed: tuple[BotoEcr, Stubber], reference: str, asked: dict[str, str]
) -> None:
    """An image is looked up by tag or by digest, depending on the form of the reference."""
    ecr, stub = stubbed
    answer = {"imageDigest": "sha256:" + "a" * 64, "imagePushedAt": datetime(2026, 11, 23, tzinfo=UTC)}
    with stub:
        stub.add_response(
            "describe_images",
            {"imageDetails": [answer]},
            {"repositoryName": "xfra-wait", "imageIds": [asked]},
        )
        found = ecr.find_image("xfra-wait", reference)
    assert found is not None
    assert (found.tags, found.size_bytes, found.last_pulled_at) == ((), None, None)


@pytest.mark.parametrize("status", ["ARCHIVED", "ACTIVATING"])
def test_an_image_that_ecr_does_not_serve_is_said_to_be_archived(
    stubbed: tuple[BotoEcr, Stubber], status: str
) -> None:
    """An image in ECR's archive is found by its name and cannot be pulled; the error says so and how to restore it."""
    ecr, stub = stubbed
    found = {"imageDigest": "sha256:" + "a" * 64, "imagePushedAt": MOMENT, "imageStatus": status}
    stub.add_response("describe_images", {"imageDetails": [found]})
    with stub, pytest.raises(ImageNotFound, match=rf"{status}.*update-image-storage-class"):
        ecr.find_image("xfra-wait", "1")


@pytest.mark.parametrize(
    ("encryption", "asked"),
    [
        (None, {}),
        (Encryption("AES256"), {"encryptionConfiguration": {"encryptionType": "AES256"}}),
        (Encryption("KMS"), {"encryptionConfiguration": {"encryptionType": "KMS"}}),
        (Encryption("KMS", "alias/a"), {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/a"}}),
    ],
)  # fmt: skip
def test_an_encryption_is_sent_where_it_was_asked_for(
    stubbed: tuple[BotoEcr, Stubber], encryption: Encryption | None, asked: dict[str, Any]
) -> None:
    """An encryption is sent only if one was requested; the key in ECR's answer is kept."""
    ecr, stub = stubbed
    told = {"encryptionType": "KMS", "kmsKey": "arn:aws:kms:us-east-1:111222333444:key/1"}
    with stub:
        stub.add_response(
            "create_repository",
            {"repository": repository(encryptionConfiguration=told)},
            {
                "repositoryName": "app",
                "imageTagMutability": "MUTABLE",
                "imageScanningConfiguration": {"scanOnPush": True},
                **asked,
            },
        )
        made, _ = ecr.create_repository("app", tags_immutable=False, scan_on_push=True, encryption=encryption)
    assert (made.encryption, made.kms_key) == ("KMS", told["kmsKey"])


def test_a_key_that_must_not_be_used_says_what_it_takes(stubbed: tuple[BotoEcr, Stubber]) -> None:
    """If the KMS key cannot be used, the error has AWS's words and the permissions that a key needs."""
    ecr, stub = stubbed
    stub.add_client_error("create_repository", "KmsException", "key is disabled", 400)
    with stub, pytest.raises(RegistryError, match=r"KmsException key is disabled; .*kms:CreateGrant"):
        ecr.create_repository(
            "app", tags_immutable=False, scan_on_push=True, encryption=Encryption("KMS", "alias/a")
        )


def test_input_that_aws_would_not_even_see_is_an_input_error() -> None:
    """A name that botocore rejects is a one-line error, without a request."""
    with pytest.raises(InputError, match=r"ecr:DescribeRepositories refused.*repositoryNames") as caught:
        BotoEcr().find_repository("x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("code", ["LimitExceededException", "InvalidParameterException"])
def test_any_other_refusal_keeps_awss_words(stubbed: tuple[BotoEcr, Stubber], code: str) -> None:
    """Any other refusal is an error with AWS's action, code and text."""
    ecr, stub = stubbed
    stub.add_client_error("create_repository", code, "too many", 400)
    with stub, pytest.raises(RegistryError, match=f"ecr:CreateRepository failed: {code} too many") as caught:
        ecr.create_repository("xfra-wait", tags_immutable=False, scan_on_push=False)
    assert type(caught.value) is RegistryError


DIGEST = "sha256:" + "a" * 64
FAILURE = {
    "imageId": {"imageDigest": DIGEST},
    "failureCode": "ImageReferencedByManifestList",
    "failureReason": "r",
}
IMAGE = {
    "imageDigest": DIGEST,
    "imageTags": ["1"],
    "imageSizeInBytes": 1,
    "imagePushedAt": 1795478400,
    "imageScanStatus": {"status": "COMPLETE"},
    "imageScanFindingsSummary": {"findingSeverityCounts": {"HIGH": 1}},
    "imageStatus": "ACTIVE",
}


@pytest.mark.parametrize(
    ("read", "whole"),
    [
        (lambda ecr: [*ecr.list_images("app")], {"imageDetails": [IMAGE]}),
        (lambda ecr: ecr.list_repositories(), {"repositories": [repository(createdAt=1795478400)]}),
        (lambda ecr: ecr.delete_images("app", [DIGEST]), {"imageIds": [], "failures": [FAILURE]}),
    ],
    ids=["images", "repositories", "deletion"],
)  # fmt: skip
def test_an_answer_with_any_odd_member_is_read_or_refused(
    read: Callable[[BotoEcr], object], whole: Any
) -> None:
    """Whatever type one member of an answer has, it is read or the error is one of ours."""
    answers = [http(200, json.dumps(each).encode()) for each in with_odd_members(whole)]
    with answering(*answers) as server:
        ecr = client(server)
        for _ in answers:
            with suppress(EcrWidgetsError):
                read(ecr)
    assert len(server.asked) >= len(answers)
