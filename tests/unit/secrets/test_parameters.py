"""Secrets in parameters are refused, and ordinary values are accepted."""

from __future__ import annotations

import base64
import secrets
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.errors import InputError
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKE"
BY_NAME = [
    "token", "TOKEN", "layer0_token", "password", "db_password", "passwd", "pwd", "passphrase", "secret", "client_secret",
    "api_key", "apikey", "access_key", "aws_secret_access_key", "private_key", "credentials", "auth", "registry_auth",
    "pass", "session_token",
]  # fmt: skip


@pytest.mark.parametrize("name", BY_NAME)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    """A value under a secret's name is refused; the error names the right way and does not show the value."""
    with pytest.raises(InputError, match="AWS_PROFILE") as caught:
        refuse_secrets({name: "hunter2-hunter2"}, SecretRegistry())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln",
        "https://user:hunter2@host/x",
        base64.b64encode(b"AWS:" + b"x" * 30).decode(),
        ["a", {"b": SECRET}],
    ],
)
def test_a_secret_is_known_by_its_looks(value: object) -> None:
    """A value that looks like a secret is refused, also inside a list or an object."""
    with pytest.raises(InputError, match=r"looks like|is a secret"):
        refuse_secrets({"comment": value}, SecretRegistry())


def test_a_secret_of_the_environment_is_known_in_any_form() -> None:
    """A secret of the environment is refused even in base64 under a harmless name."""
    known = SecretRegistry({"LAYER0_AUTH_TOKEN": "b3JkaW5hcnkgbG9va2luZw", "AWS_SESSION_TOKEN": "short"})
    with pytest.raises(InputError, match="a secret of this environment"):
        refuse_secrets({"tag": base64.b64encode(b"x:b3JkaW5hcnkgbG9va2luZw").decode()}, known)


ORDINARY = {
    "repository": "myteam/myproject", "tag": "1.10", "commit": "e8c068f2a1b3c4d5e6f708192a3b4c5d6e7f8091",
    "digest": "sha256:" + "0123456789abcdef" * 4, "account": "012345678901", "token_lifetime_s": "43200",
    "secret_name": "prod/db", "password_file": "/run/secrets/db", "environment": "demo", "passenger_count": "3",
    "image": "111222333444.dkr.ecr.us-east-1.amazonaws.com/team/app@sha256:" + "ab" * 32, "url": "https://host:8443/x",
    "author": "somebody", "wait_timeout_s": 600.0, "create_repository": True, "compass": "north", "nothing": None,
}  # fmt: skip


def test_ordinary_parameters_pass() -> None:
    """Ordinary parameters are accepted."""
    refuse_secrets(ORDINARY, SecretRegistry())


@given(
    st.text(alphabet=string.hexdigits.lower(), min_size=7, max_size=64),
    st.from_regex(r"\Av?\d{1,4}(\.\d{1,4}){0,3}\Z"),
)
def test_hashes_and_versions_pass(commit: str, version: str) -> None:
    """Commit hashes and versions are accepted."""
    refuse_secrets({"commit": commit, "tag": version}, SecretRegistry())


def test_keys_as_aws_makes_them_are_found() -> None:
    """At least 195 of 200 random AWS secret keys are recognized by their form."""
    letters = string.ascii_letters + string.digits + "+/"
    made = ["".join(secrets.choice(letters) for _ in range(40)) for _ in range(200)]
    missed = 0
    for key in made:
        try:
            refuse_secrets({"comment": key}, SecretRegistry())
        except InputError:
            continue
        missed += 1
    assert missed <= 5


@pytest.mark.parametrize(
    "value",
    [
        {"timeout": {"DB_PASSWORD": "hunter22hunter22"}},
        [{"deep": [{"API_TOKEN": "hunter22hunter22"}]}],
        {"timeout": {"PASSWORDS": ["hunter22hunter22"]}},
    ],
)
def test_a_secret_is_known_by_its_name_at_any_depth(value: object) -> None:
    """A value under a secret's name is refused at any depth, and not shown in the error."""
    with pytest.raises(InputError, match="secret by its name") as caught:
        refuse_secrets({"env_vars": value}, SecretRegistry())
    assert "hunter22" not in str(caught.value)
    refuse_secrets(
        {"env_vars": {"timeout": {"DB_PASSWORD_FILE": "/run/db", "SLEEP_TIME": "1"}}}, SecretRegistry()
    )


@pytest.mark.parametrize("name", [SECRET, "AKIA" + "ABCDEFGHIJKLMNOP", "not-a-name-4711-canary"])
def test_a_secret_as_a_name_is_refused_and_not_shown(name: str) -> None:
    """A secret given as a parameter's name is refused and not shown."""
    known = SecretRegistry()
    known.register("not-a-name-4711-canary")
    with pytest.raises(InputError, match="a parameter's name is refused") as caught:
        refuse_secrets({name: "x"}, known)
    assert name not in str(caught.value)
    with pytest.raises(InputError) as caught:
        refuse_secrets({"env_vars": {"web": {name: "x"}}}, known)
    assert name not in str(caught.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["-," * 60_000, "eyJ-" * 30_000, "://a:" * 25_000, "a=" * 60_000])
def test_a_long_value_keeps_nobody_busy(text: str) -> None:
    """Checking a 120 kB value ends without quadratic cost."""
    refuse_secrets({"comment": text}, SecretRegistry())


@pytest.mark.timeout(60)
def test_a_value_too_large_or_too_deep_to_be_looked_at_is_refused() -> None:
    """A value that is too large, too deep or contains itself is refused."""
    wide: list[object] = ["x"] * 10
    for _ in range(12):
        wide = [wide] * 10
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    around: list[object] = []
    around.append({"a": around})
    for value, why in ((wide, "more than 100000 values"), (deep, "too deeply"), (around, "too deeply")):
        with pytest.raises(InputError, match=why):
            refuse_secrets({"comment": value}, SecretRegistry())
    refuse_secrets({"comment": [["x"] * 1000] * 50}, SecretRegistry())


@pytest.mark.parametrize("value", [{SECRET}, SECRET.encode(), [[{"a": ({SECRET},)}]]])
def test_a_secret_is_found_in_what_yaml_makes(value: object) -> None:
    """A secret in a YAML set or in bytes is refused."""
    with pytest.raises(InputError, match="AWS secret key"):
        refuse_secrets({"comment": value}, SecretRegistry())


@pytest.mark.parametrize("value", ["d\udcff", ["\ud800"], {"a": {"\udcff": 1}}])
def test_a_value_that_is_not_utf_8_is_refused(value: object) -> None:
    """No saved run can hold it, nor give it to the run that resumes it."""
    with pytest.raises(InputError, match="'path' refused: it is not UTF-8"):
        refuse_secrets({"path": value}, SecretRegistry())
