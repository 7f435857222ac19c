"""Unusable AWS settings produce a one-line error that says what to do."""

from __future__ import annotations

import io
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import LoginRefreshRequired

from ecr_widgets.adapters import credential_process
from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.adapters.ecr_calls import translated
from ecr_widgets.errors import AuthorizationError, EcrWidgetsError, SettingsError
from tests.unit.adapters.scripted import answering, http


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user with one profile and no keys; returns the path of the config file."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path / "config"


def profile(home: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    home.write_text(
        f"[profile ops]\nregion = us-east-1\n{text}\n[profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "ops")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("credential_process = /nowhere/helper --password geheim", "credential_process '/nowhere/helper'"),
        ("credential_process = echo geheim", "credential_process 'echo'"),
        ("credential_process = false", "the credential_process of this profile failed"),
        ("credential_process = sh -c 'echo geheim >&2; exit 3'", "the credential_process of this profile failed"),
        (
            """credential_process = echo '{"Version": 1, "AccessKeyId": 1, "SecretAccessKey": 2}'""",
            "credential_process 'echo' .* gave no identity",
        ),
        ("role_arn = arn:aws:iam::111222333444:role/ops\nweb_identity_token_file = /nowhere/token", "/nowhere/token"),
        ("login_session = arn:aws:iam::111222333444:user/a", "botocore\\[crt\\]|ops"),
        ("role_arn = arn:aws:iam::111222333444:role/ops\nsource_profile = nobody", "nobody"),
        ("role_arn = arn:aws:iam::111222333444:role/ops\nsource_profile = ops", "ops"),
        ("role_arn = arn:aws:iam::111222333444:role/ops\ncredential_source = Moon", "Moon"),
        ("sso_session = none\nsso_account_id = 1\nsso_role_name = r", "sso|none"),
        ("defaults_mode = wild\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x", "wild"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", ["identity", "authorization_token"])
def test_a_profile_that_cannot_be_used_is_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str, call: str
) -> None:
    """An unusable profile is a one-line error of ours with a hint; it neither blames AWS nor shows a program's output."""
    profile(home, monkeypatch, text)
    with answering(http(403)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(EcrWidgetsError, match=said) as caught:
            getattr(BotoEcr(), call)()
    told = str(caught.value)
    assert "is not AWS" not in told
    assert "geheim" not in told
    assert "\n" not in told
    assert caught.value.hint


@pytest.mark.parametrize("base", [False, True], ids=["the profile's own", "of the profile behind a role"])
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cat /dev/zero", "printed more than 1 MB"),
        ("cat /dev/zero >&2", "printed more than 1 MB"),
        ("sleep 600 & echo $! > PIDS; wait", "did not end in 1 s"),
        ("exec >&- 2>&-; sleep 600 & echo $! > PIDS; wait", "did not end in 1 s"),
    ],
)
def test_a_program_that_does_not_end_is_ended(
    home: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str, *, base: bool
) -> None:
    """A credential_process that prints without end, or does not end, is killed with its children, and the error says so."""
    monkeypatch.setattr(credential_process, "LONGEST_S", 1)
    pids = home.with_name("pids")
    text = f"credential_process = sh -c '{script.replace('PIDS', str(pids))}'"
    if base:
        text = f"role_arn = arn:aws:iam::111222333444:role/ops\nsource_profile = base\n[profile base]\n{text}"
    profile(home, monkeypatch, text)
    with answering(http(403)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(SettingsError, match=f"credential_process 'sh' {said}, and was killed"):
            BotoEcr().identity()
        assert not server.asked
    if pids.exists():
        # It dies when the machine next runs it; without its parent, it is for the machine's first process to remove.
        with suppress(psutil.NoSuchProcess):
            child, deadline_s = psutil.Process(int(pids.read_text())), time.monotonic() + 60
            while child.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < deadline_s, "it still runs"
                time.sleep(0.01)


def test_a_program_that_prints_keys_gives_an_identity(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential_process that ends in time works as before, and its secrets are known."""
    keys = '{"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "geheim-1", "SessionToken": "geheim-2"}'
    profile(home, monkeypatch, f"credential_process = echo '{keys}'")
    secrets: list[str] = []
    with answering(http(403)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(EcrWidgetsError):
            BotoEcr(on_secret=secrets.append).identity()
        assert server.asked
    assert secrets[:2] == ["geheim-1", "geheim-2"]


def test_a_code_that_nobody_can_type_is_an_error_and_no_prompt(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that needs an MFA code is an error in a run without a terminal, not a prompt."""
    profile(
        home,
        monkeypatch,
        "role_arn = arn:aws:iam::111222333444:role/ops\nsource_profile = keys\nmfa_serial = arn:aws:iam::111222333444:mfa/a",
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(AuthorizationError, match="MFA code, which cannot be typed"):
        BotoEcr().identity()


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("AWS_SECRET_ACCESS_KEY", "geheim\n", "secret key"),
        ("AWS_SECRET_ACCESS_KEY", "geheim\r", "secret key"),
        ("AWS_ACCESS_KEY_ID", " AKIDEXAMPLE", "access key"),
        ("AWS_SESSION_TOKEN", "tok\nen", "session token"),
        ("AWS_SESSION_TOKEN", "tökèn", "session token"),
    ],
)
def test_a_key_with_a_line_end_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    """An AWS key with a line end, space or non-ASCII character is reported as such, without showing the key."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nosecret")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"the {what} of the AWS identity") as caught:
        BotoEcr().identity()
    assert value.strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://aws.example.com", "plain http to aws.example.com"),
        ("http://0.0.0.0:9", "plain http to 0.0.0.0:9"),
        ("http://127.0.0.1.example.com", "plain http"),
        ("https://me:geheim@aws.example.com", "holds a user or password"),
        ("http://me:geheim@127.0.0.1:9", "holds a user or password"),
        ("ftp://aws.example.com", "cannot be used: ftp://aws.example.com"),
        ("http://127.0.0.1:99999", "cannot be used: http://127.0.0.1:99999"),
        ("https://aws.example.com:port", "cannot be used: https://aws.example.com:port"),
        ("aws.example.com", "Invalid endpoint: aws.example.com; check .*AWS_ENDPOINT_URL"),
    ],
)
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "profile"])
def test_an_address_that_no_key_may_go_to_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, address: str, said: str
) -> None:
    """Plain HTTP to another host, a password in it, and what is no address are refused wherever the address is set."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nosecret")
    if variable == "profile":
        profile(home, monkeypatch, f"endpoint_url = {address}")
    else:
        monkeypatch.setenv(variable, address)
    with pytest.raises(SettingsError, match=said) as caught:
        BotoEcr().authorization_token()
    assert "geheim" not in str(caught.value)


def test_to_load_asks_nobody_and_looks_for_no_identity(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Loading the adapter makes no request and does not start credential_process; the first call starts it."""
    mark = tmp_path / "started"
    profile(home, monkeypatch, f"credential_process = touch {mark}")
    with answering(http(403)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        ecr = BotoEcr()
        ecr.load()
        assert not mark.exists()
        assert not server.asked
        with pytest.raises(EcrWidgetsError, match="credential_process"):
            ecr.authorization_token()
    assert mark.exists()


def test_an_aws_login_that_is_over_is_no_wrong_setting() -> None:
    """A session of `aws login` that has ended is a missing identity, as one of single sign-on is, and not a wrong setting."""

    def fail() -> None:
        raise LoginRefreshRequired

    with pytest.raises(AuthorizationError, match=r"no AWS identity for ecr:PutImage: .*aws login"):
        translated("ecr:PutImage", fail)
