"""Secrets are masked in texts."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from html import escape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.errors import InputError
from ecr_widgets.secrets.redaction import SecretRegistry, secrets_in

SECRET = 'k+e/y="1\\%&<2 3>4567890abcdefghijklmnop'

HALVES = pytest.mark.parametrize("half", [chr(0xD800), chr(0xDCFF)])


@pytest.fixture
def known() -> SecretRegistry:
    registry = SecretRegistry()
    registry.register(SECRET)
    return registry


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(json.dumps(SECRET)),
        repr(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        escape(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        quote(SECRET, safe="").lower(),
        escape(SECRET).replace("&quot;", "&#34;"),
        shlex.quote(SECRET),
        json.dumps(repr(SECRET)),
        SECRET[:20],
        SECRET[-20:],
        SECRET[::-1],
    ],
)
def test_every_form_is_masked(known: SecretRegistry, form: str) -> None:
    """Every encoding of a secret is masked."""
    assert "***" in known.redact(f"before {form} after")
    assert form not in known.redact(f"before {form} after")


@pytest.mark.parametrize("prefix", ["", "AWS:", "user:", "ab"])
def test_base64_is_masked_at_every_offset(known: SecretRegistry, prefix: str) -> None:
    """A secret is masked in base64 at any offset in a longer text."""
    clean = known.redact(base64.b64encode((prefix + SECRET).encode()).decode())
    assert "***" in clean
    assert len(clean) < 20


def test_the_credentials_of_a_docker_request_are_masked(known: SecretRegistry) -> None:
    """The password in a Docker request's X-Registry-Auth header is masked."""
    header = base64.urlsafe_b64encode(json.dumps({"username": "AWS", "password": SECRET}).encode()).decode()
    clean = known.redact(json.dumps({"X-Registry-Auth": header}))
    readable = base64.urlsafe_b64decode(clean.split(": ")[1].strip('"}').split("***")[0][:-4] + "====")
    assert b"password" in readable
    assert SECRET[1:6].encode() not in readable


def test_colours_do_not_hide_a_secret(known: SecretRegistry) -> None:
    """A colour code within a secret, raw or escaped in JSON, does not hide it."""
    coloured = f"a {SECRET[:7]}\x1b[31m{SECRET[7:]}\x1b[0m b"
    assert known.redact(coloured) == "a ***\x1b[0m b"
    assert SECRET[-9:] not in known.redact(json.dumps(coloured))


@pytest.mark.parametrize("width", [60, 64, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n    ", "\\n"])
@pytest.mark.parametrize("ahead", [0, 10, 40, 50, 61, 75])
def test_lines_do_not_hide_a_secret_in_base64(
    known: SecretRegistry, ahead: int, end: str, width: int
) -> None:
    """A secret in base64 is masked at any line length and wherever in the lines it begins."""
    encoded = base64.b64encode(b"." * ahead + SECRET.encode() + b"." * 90).decode()
    lines = [encoded[at : at + width] for at in range(0, len(encoded), width)]
    clean = known.redact(f"data: {end.join(lines)}{end}")
    readable = "".join(clean.split()).replace("\\n", "")
    assert readable.count("***") == 1
    before, after = readable.removeprefix("data:").split("***")
    assert encoded.startswith(before)
    assert encoded.endswith(after)
    assert len(before) <= (ahead + 2) * 4 / 3
    assert len(after) <= 92 * 4 / 3 + 1


def test_lines_of_base64_that_come_one_by_one_are_held_back(known: SecretRegistry) -> None:
    """Lines of base64 that arrive one by one are masked as if they came together, and others are unchanged."""
    text = base64.encodebytes(b"." * 45 + SECRET.encode() * 3 + b"." * 90).decode()
    shown, held = "", ""
    for line in text.splitlines(keepends=True):
        held += line
        safe = known.safe_length(held)
        shown, held = shown + known.redact(held[:safe]), held[safe:]
    assert shown + known.redact(held) == known.redact(text)
    other = base64.encodebytes(b"." * 300).decode()
    assert known.redact(other) == other


def test_each_line_of_a_long_secret_is_one() -> None:
    """Each line of a multi-line secret is masked by itself."""
    known, lines = SecretRegistry(), ["-----BEGIN KEY-----x", "MIIEvQIBADANBgkqhkiG9w0B"]
    known.register("\n".join(lines))
    assert [known.redact(f"> {line}") for line in lines] == ["> ***"] * 2


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 47))
def test_what_was_redacted_stays_as_it_is(before: str, after: str, cut: int) -> None:
    """Redacting a second time changes nothing, and a text cut in two is redacted as well as a whole one."""
    known = SecretRegistry()
    known.register(SECRET)
    text = before + SECRET + after
    clean = known.redact(text)
    assert known.redact(clean) == clean
    assert SECRET not in clean
    first = text[: len(before) + cut]
    shown = known.safe_length(first)
    assert known.redact(first[:shown]) + known.redact(first[shown:] + text[len(first) :]) == clean


@given(st.data())
def test_the_end_that_may_begin_a_secret_is_found_among_many(data: st.DataObject) -> None:
    """Text is held back from the first place where any form of a secret may begin."""
    known = SecretRegistry()
    for secret in data.draw(st.lists(st.text("ab\"'", min_size=8, max_size=40), min_size=1, max_size=4)):
        known.register(secret)
    text = data.draw(st.text("ab\"'", max_size=60))
    every = {form for forms in known._forms.values() for form in forms}
    begins = [
        at
        for at in range(len(text))
        if any(form != text[at:] and form.startswith(text[at:]) for form in every)
    ]
    shown = known.safe_length(text)
    assert shown <= min(begins, default=len(text))
    assert known.redact(text[:shown]) + known.redact(text[shown:]) == known.redact(text)


def test_asking_how_much_may_be_shown_does_not_try_every_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Finding how much may be shown does not try each of two hundred secrets at each place."""
    known = SecretRegistry()
    for number in range(200):
        known.register(f"{number:03}-{SECRET}")
    looks: list[str] = []
    look = known._search()._begins_one
    monkeypatch.setattr(known._search(), "_begins_one", lambda text: looks.append(text) or look(text))
    assert known.safe_length("é" * 5000) == 5000
    assert 0 < len(looks) <= 40


def test_ordinary_text_stays(known: SecretRegistry) -> None:
    """A text without a secret is unchanged."""
    text = "sha256:" + "0123456789abcdef" * 4 + " 127.0.0.1:5000/xfra-wait:1.10"
    assert known.redact(text) == text


CUT = "".join(f"{SECRET}{number:04}" for number in range(50))
IN_FORMS = {
    "itself": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "an address": lambda text: quote(text, safe=""),
    "HTML": escape,
    "hex": lambda text: text.encode().hex(),
    "reversed": lambda text: text[::-1],
}


@pytest.mark.parametrize("form", IN_FORMS.values(), ids=IN_FORMS)
def test_a_cut_secret_is_masked_as_far_as_it_goes(form: Callable[[str], str]) -> None:
    """A truncated secret is masked, at either end or cut in the middle."""
    known = SecretRegistry()
    known.register(CUT)
    whole = form(CUT)
    for shown in (whole[: len(whole) * 4 // 5], whole[len(whole) // 5 :]):
        assert len(known.redact(f"<{shown}>")) < len("<***>") + 6
    assert known.redact(f"<{whole[:900]}…{whole[-900:]}>") == "<***…***>"


@pytest.mark.parametrize("before", ["AWS:", "user:", "", "{'password': '"])
def test_a_cut_base64_text_is_masked_as_far_as_it_goes(before: str) -> None:
    """The password in a truncated base64 header is masked."""
    known = SecretRegistry()
    known.register(CUT)
    header = base64.b64encode((before + CUT).encode()).decode()
    assert known.redact(f"Basic {header[:201]}").endswith("***")
    assert len(known.redact(f"Basic {header[201:]}")) < len("Basic ***") + 6


def test_what_secrets_have_in_common_is_masked_to_the_end_of_the_right_one() -> None:
    """If several secrets begin alike, the one that the text continues with is masked whole."""
    known = SecretRegistry()
    for number in range(3):
        known.register(f"{SECRET}{number}{CUT}")
    assert known.redact(f"<{SECRET}1{CUT[:500]}>") == "<***>"


def test_a_secret_a_little_longer_than_its_ends_has_them_too(known: SecretRegistry) -> None:
    """A secret of 21 characters is masked whole."""
    known.register("0f8q2k5v7c9x1b4n6m3l_")
    assert known.redact("> 0f8q2k5v7c9x1b4n6m3l <") == "> *** <"


@HALVES
def test_half_characters_stand_in_no_ones_way(known: SecretRegistry, half: str) -> None:
    """A secret beside a lone surrogate is masked, and the surrogate stays."""
    assert known.redact(f"a{half} \U0001f600 {SECRET} {half}b") == f"a{half} \U0001f600 *** {half}b"
    assert known.redact_values({half: [half]}) == {half: [half]}
    assert known.safe_length(f"a{half}{SECRET[:9]}") == 2


@HALVES
def test_a_secret_may_hold_half_characters(half: str) -> None:
    """A secret that contains a lone surrogate is masked in all its encodings."""
    known, secret = SecretRegistry(), f"abcdefghij{half}klmnopqrst"
    known.register(secret)
    assert known.redact(f"> {secret}") == "> ***"
    assert known.redact(json.dumps(secret)) == '"***"'
    for errors in ("surrogatepass", "surrogateescape") if half == "\udcff" else ("surrogatepass",):
        content = secret.encode("utf-8", errors)
        assert known.redact(quote(content)) == "***"
        assert known.redact(content.hex()) == "***"
        assert len(known.redact(base64.b64encode(content).decode())) < 8


def test_a_short_secret_is_refused() -> None:
    """A short secret is refused, because masking it would hide ordinary words."""
    with pytest.raises(InputError):
        SecretRegistry().register("short")


@pytest.mark.parametrize("padding", ["", "="])
def test_the_password_in_layer0s_token_is_a_secret_too(padding: str) -> None:
    """User and password in Layer0's token are masked as well as the token."""
    token = base64.b64encode(b"layer0:nohaxnohax").decode().rstrip("=")
    known = SecretRegistry({"LAYER0_AUTH_TOKEN": token + padding})
    assert known.redact("layer0:nohaxnohax, nohaxnohax, layer0") == "***, ***, layer0"


@pytest.mark.parametrize(
    ("held", "secrets"),
    [
        (b"layer0:short", ["layer0:short"]),
        (b":ordinary", [":ordinary", "ordinary"]),
        (b"ordinary", ["ordinary"]),
        (b"ordinary\0\1\2", []),
        (b"ordinary\xff\xfe", []),
    ],
)
def test_what_a_token_holds_is_a_secret_where_it_can_be_one(held: bytes, secrets: list[str]) -> None:
    """Layer0's token also gives the texts in it as secrets, if they are long enough; other tokens are taken as they are."""
    token = base64.b64encode(held).decode()
    assert list(secrets_in({"LAYER0_AUTH_TOKEN": token})) == [token, *secrets]
    assert list(secrets_in({"AWS_SESSION_TOKEN": token})) == [token]
    assert list(secrets_in({"LAYER0_AUTH_TOKEN": "no base64: ü"})) == ["no base64: ü"]


ORDINARY_VARIABLES = {
    "PATH": "/usr/local/bin:/usr/bin", "LS_COLORS": "rs=0:di=01;34:ln=01;36:*.tar=01;31:", "SSH_AUTH_SOCK": "/tmp/ssh-x/agent.1",
    "CREDENTIALS_DIRECTORY": "/run/credentials/x.service", "TOKENIZERS_PARALLELISM": "disabled", "AWS_ACCESS_KEY_ID": "AKIA" + "Q" * 16,
    "AUTH": "https://login.example.com/", "DB_SECRET": "arn:aws:secretsmanager:eu-west-1:111222333444:secret:db-AbCdEf",
    "PASSWORD_ACCOUNT": "111222333444", "DB_PASSWORD_FILE": "/run/secrets/db1", "AWS_PROFILE": "production-1", "API_KEY": "short1",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus", "HTTPS_PROXY": "http://proxy.example.com:3128",
    "ECR_WIDGETS_RUNS": "/srv/runs", "DOCKER_HOST": "ssh://ops@build.example.com", "DB_PASSWORD": "production", "GPG_TTY": "/dev/pts/0",
}  # fmt: skip


def test_ordinary_variables_hold_no_secrets() -> None:
    """Ordinary variables hold no secrets."""
    assert list(secrets_in(ORDINARY_VARIABLES)) == []


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-word", ["container-word"]),
        ("AWS_BEARER_TOKEN_BEDROCK", "some-bearer-word", ["some-bearer-word"]),
        ("ECR_WIDGETS_NOTIFY_COMMAND", "notify --to me", ["notify --to me"]),
        ("HTTPS_PROXY", "http://me:pass%2Fword1@p:3128", ["pass%2Fword1", "pass/word1"]),
        ("https_proxy", "http://me:pass/word1@p:3128", ["pass/word1"]),
        ("DATABASE_URL", "postgres://app:some-pass-1@db/app", ["some-pass-1"]),
        ("PIP_INDEX_URL", "https://aB3dE5fG7hJ9kL1mN@pypi.example/simple", ["aB3dE5fG7hJ9kL1mN"]),
        ("GITHUB_TOKEN", "some-token-1", ["some-token-1"]),
        ("DB_PASSWORD", "correct horse 1", ["correct horse 1"]),
        ("CONNECTION", "Server=db;Password=some-pass-1;", ["some-pass-1"]),
        ("AUTH_HEADER", "x", []),
        ("DOCKER_AUTH_CONFIG", "no JSON [", ["no JSON ["]),
        ("DOCKER_AUTH_CONFIG", '{"auths": []}', ['{"auths": []}']),
    ],
)
def test_variables_that_may_hold_a_secret_are_known(name: str, value: str, secrets: list[str]) -> None:
    """A variable's secret is known by its name, its form, or as the password in an address."""
    assert list(secrets_in({name: value})) == secrets


def test_what_a_notices_address_and_dockers_logins_hold_is_secret_too() -> None:
    """The end of the notification address and each password in Docker's logins are masked."""
    pair = base64.b64encode(b"me:registry-word").decode()
    logins = {"auths": {"r.example": {"auth": pair}, "q.example": {"identitytoken": "identity-word"}}}
    address = "https://hooks.example.com/services/T0/aB3dE5fG7hJ9kL1mN3pQ"
    known = SecretRegistry({"DOCKER_AUTH_CONFIG": json.dumps(logins), "ECR_WIDGETS_NOTIFY_URL": address})
    for text in (pair, "registry-word", "identity-word", address, "aB3dE5fG7hJ9kL1mN3pQ", json.dumps(logins)):
        assert known.redact(text) == "***"
    assert known.redact("hooks.example.com/services") == "hooks.example.com/services"
