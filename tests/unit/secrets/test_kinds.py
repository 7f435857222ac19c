"""Secrets are recognized by their form, and ordinary texts are not mistaken for them."""

from __future__ import annotations

import base64
import json
import string
import uuid
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.secrets.kinds import (
    kind_of_secret,
    looks_random,
    mask_secrets,
    may_name_secret,
    names_secret,
)

# Assembled here, with a ¦ in their prefixes, so that secret scanners do not report this file.
BODY = (
    "".join(
        f"{upper}{digit}{lower}"
        for upper, digit, lower in zip("KQXWZRTVBN", "7481925360", "hvjgfwzxyk", strict=True)
    )
    * 4
)
HEX = "4be1f09c7d2a8365" * 5
PASSWORD = "Tr0ub4dor-and-3"
PAIR = base64.b64encode(f"app:{PASSWORD}".encode()).decode()
PEM = "-----BEGIN {} KEY-----\nMIIEvQ\n-----END {} KEY-----"

TOKENS = [
    *(start + BODY[:60] for start in (
        "ghp¦_", "github¦_pat_", "glpat¦-", "glrt¦-", "xox¦b-", "xapp¦-1-", "npm¦_", "pypi¦-AgE", "sk¦_live_",
        "rk¦_test_", "whsec¦_", "dckr¦_pat_", "AI¦za", "ya29¦.", "GOCSPX¦-", "hvs¦.", "sk¦-proj-", "sk¦-ant-",
        "sk¦-", "hf¦_", "glsa¦_", "glc¦_", "NRAK¦-", "ATATT¦3", "PMAK¦-", "pscale¦_tkn_", "lin¦_api_", "figd¦_",
        "tskey¦-auth-", "IQoJb3JpZ2lu¦X2Vj", "FwoGZXIv¦YXdz", "ABSK", "bedrock-api-¦key-", "HRKU¦-", "LTAI", "AKCp",
        "sntrys¦_", "vcp¦_", "nfp¦_", "gsk¦_", "b3BlbnNzaC1r¦ZXktdjE",
    )),
    *(start + HEX for start in ("dapi", "dop¦_v1_", "shpat¦_", "rubygems¦_", "pul¦-", "sqp¦_", "xkeysib¦-")),
    "AKIA" + "QRSTUVWX23456789", "ASIA" + "QRSTUVWX23456789", "SK" + HEX[:32], "key¦-" + HEX[:32], HEX[:32] + "-us¦12",
    "SG¦." + BODY[:22] + "." + BODY[:43], "123456789¦:AA" + BODY[:33], "abc8Q~" + BODY[:34],
    BODY[:14] + ".atlasv1¦." + BODY[:60], "AGE-SECRET-¦KEY-1" + BODY.upper()[:50],
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY", "eyJ" + BODY[:20] + ".eyJ" + BODY[:30] + "." + BODY[:40], "QVdT¦OmV5SndZWGxzYjJGa0lqb2k", BODY[:40],
]  # fmt: skip
KEYS = [
    PEM.format("PRIVATE", "PRIVATE"), PEM.format("RSA PRIVATE", "RSA PRIVATE"), PEM.format("OPENSSH PRIVATE", "OPENSSH PRIVATE"),
    PEM.format("ENCRYPTED PRIVATE", "ENCRYPTED PRIVATE"), "-----BEGIN PGP PRIVATE KEY¦ BLOCK-----\n\nlQOY",
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY¦ ----\nP2/", "PuTTY-User-Key-File-¦2: ssh-rsa\nEncryption: none",
]  # fmt: skip
IN_ADDRESSES = [
    f"redis://:{PASSWORD}@cache:6379/0", f"postgres://app:{PASSWORD}/x@db/app", f"https://u:{PASSWORD}@r.example/app@sha256:ab",
    f"mongodb+srv://app:p@{PASSWORD}@c0.example.net", "amqp://app:1234@q/v", f"https://{BODY[:30]}@git.example.com/o/r",
    f"https://{HEX[:40]}@git.example.com/o/r", f"app:{PASSWORD}@tcp(db:3306)/app", f"jdbc:oracle:thin:app/{PASSWORD}@db:1521:x",
    f"app/{PASSWORD}@//db:1521/x", f"https://hooks¦.slack.com/services/T0/B0/{BODY[:24]}",
    f"https://discord¦.com/api/webhooks/123456/{BODY[:30]}", f"https://x.blob.example/c?sv=1&sig={BODY[:40]}%3D",
    f"https://b.s3.amazonaws.com/k?X-Amz-Signature={HEX[:64]}", f"https://f.example/api/run?code={BODY[:40]}==",
    f"//registry.example/:_authToken={BODY[:30]}",
]  # fmt: skip
OTHER_TOKENS = [
    f"{start}{BODY}"
    for start in (
        "CLOJARS¦_",
        "EZ¦AK",
        "FLW¦SECK-",
        "sl¦.",
        "EA¦ACw",
        "sha256¦~",
        "shippo¦_live_",
        "秘密ghp¦_",
        "キーnpm¦_",
    )
] + [
    "API¦-" + BODY.upper()[:26],
    "rdme¦_" + BODY.lower()[:60],
    "sgp¦_" + HEX[:40],
    "AQ¦VN" + BODY[:35],
    "4b¦1d" + BODY[:38],
]
GIVEN = [
    f"jdbc:postgresql://db/app?user=app&password={PASSWORD}", f"Server=db;User Id=app;Password={PASSWORD};",
    f"Driver={{X}};Server=db;Pwd={{{PASSWORD}}}", f"host=db user=app password={PASSWORD} dbname=app",
    f"host=db password='{PASSWORD}'", f"AccountName=x;AccountKey={BODY[:40]}ab==", f"Endpoint=sb://x/;SharedAccessKey={BODY[:30]}=",
    f"PGPASSWORD={PASSWORD} psql", f"API_TOKEN={PASSWORD}", f"export DB_PASSWORD={PASSWORD}", f"run --db-password {PASSWORD}",
    f"run --token={PASSWORD}", f"curl -u app:{PASSWORD} https://x", f'curl --user "app:{PASSWORD}" x', f"sshpass -p {PASSWORD} ssh h",
    f"docker login -u app -p {PASSWORD}", f"machine h login app password {PASSWORD}", f"Authorization: Bearer {BODY[:24]}",
    f"authorization=Bearer {BODY[:24]}", f"Authorization: Basic {PAIR}", f"Basic {PAIR}", f"Authorization: token {HEX[:40]}",
    f"X-Api-Key: {HEX[:24]}", f"PRIVATE-TOKEN: {BODY[:20]}", f"password: {PASSWORD}", json.dumps({"password": PASSWORD}),
    json.dumps({"auths": {"r.example": {"auth": PAIR}}}), json.dumps({"name": "DB_PASSWORD", "value": PASSWORD}),
    f'KafkaClient required username="app" password="{PASSWORD}";', "app:$apr1$" + BODY[:8] + "$" + BODY[:22],
    "$2y$10$" + BODY[:53],
]  # fmt: skip
EVERY = [each.replace("¦", "") for each in (*TOKENS, *OTHER_TOKENS, *KEYS, *IN_ADDRESSES, *GIVEN)]
ORDINARY = [
    "1.10", "v2.3.4-rc1+build.7", "latest", "2026-11-24T10:00:00Z", "sha256:" + HEX[:64], HEX[:64], HEX[:40], HEX[:32], "0 3 * * 1-5",
    "cron(0 12 * * ? *)", "rate(5 minutes)", str(uuid.UUID(HEX[:32])), "arn:aws:ecr:eu-west-1:111222333444:repository/team/app",
    "arn:aws:secretsmanager:eu-west-1:111222333444:secret:prod/db-AbCdEf", "arn:aws:kms:eu-west-1:111222333444:key/" + str(uuid.UUID(HEX[:32])),
    "111222333444.dkr.ecr.us-east-1.amazonaws.com/team/app@sha256:" + HEX[:64], "ghcr.io/team/App_Image-2:1.0",
    "http://localhost:5000/team/app@sha256:" + HEX[:64], "docker://app:1.10@sha256:" + HEX[:64], "https://host:8443/x?mail=a@b.example",
    "ssh://git@host:2222/o/r.git", "git@github.com:o/r.git", "https://someone@host/x", "http://[::1]:8080/a@b", "postgres://app@db/app",
    "postgres://app:$PASSWORD@db/app", "postgres://app:${DB_PASSWORD}@db/app", "postgres://{user}:{password}@db/app", "mysql://u:***@db",
    "https://<user>:<password>@host", "DB_PASSWORD=$DB_PASSWORD", "--password-file /run/secrets/db", "password_file=/run/secrets/db",
    "token_lifetime_s=43200", "SECRET_NAME=prod/db", "the token is rotated: see the page", "password: see the vault", "use --token with care",
    "Basic settings of the service", "Bearer authentication is off", "basic authentication", "max=3 tokens", "DB_PASSWORD={{ password }}",
    '{"secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:eu-west-1:111222333444:parameter/db"}]}', "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "task-definition-for-the-service-web-01", "docker run -u 1000:1000 app", "curl -u $USER:$PASSWORD https://x", "i-0abc1234def567890",
    "subnet-0a1b2c3d4e5f67890", "ami-0123456789abcdef0", "ecs-svc/1234567890123456789", "arn:aws:iam::111222333444:role/Deploy-Role",
    "s3://bucket/prefix/2026/11/24/", "eu-west-1", "--sort-key name", "SHA256:" + BODY[:43], "-----BEGIN CERTIFICATE-----\nMIID",
    base64.b64encode(b"-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIE").decode(), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ops@host",
    base64.b64encode(b"an ordinary sentence, in base64").decode(), "/usr/local/lib/python3/dist-packages/app", "a" * 5000, "=" * 200, "",
    "password=true", "secret: none", "auth=basic", "https://o/r/compare/v1...v2", "text/html; charset=utf-8", "Größe: 10 MB",
    "/properties/CaCertificatesBundleS3Bucket", "logs:DisassociateSourceFromS3TableIntegration", "/software/BeautifulSoup/bs4/download/x12",
    "kit.build_image(secrets=mounted_variables)", "token = client.login(name)", "password=getpass.getpass()", "--secret npm=NPM_TOKEN", 'secrets={"npm": "NPM_TOKEN"}',
    "docker build --secret id=npm,env=NPM_TOKEN .", "the password=DB_PASSWORD of the environment", "private_key = load_key(path)",
]  # fmt: skip


@pytest.mark.parametrize("text", EVERY)
def test_each_kind_is_found_and_masked(text: str) -> None:
    """Each kind of secret is found in a sentence, JSON, percent encoding and base64, and is masked."""
    once = base64.b64encode(text.encode()).decode()
    twice = base64.b64encode(json.dumps({"data": once}).encode()).decode()
    for form in (
        text,
        f"see: {text}",
        json.dumps(json.dumps({"k": text})),
        quote(text, safe=""),
        once,
        twice,
    ):
        assert kind_of_secret(form) is not None, form
    hidden = (PASSWORD, PAIR, BODY[:8], HEX[:16], "MIIEvQ")
    for form in (text, once, twice):
        masked = mask_secrets(form, "***")
        assert "***" in masked
        assert not [each for each in hidden if each in masked], masked


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_values_are_no_secrets(text: str) -> None:
    """Ordinary values, such as tags, digests, ARNs, times and prose, are not secrets."""
    assert kind_of_secret(text) is None


@given(st.from_regex(r"\A[a-z0-9]+([._/-][a-z0-9]+){0,6}(:[a-zA-Z0-9_.-]{1,30})?\Z"))
def test_names_of_images_are_no_secrets(name: str) -> None:
    """An image name is not a secret, unless a part of it starts with an issuer's prefix."""
    if not any(
        part.startswith(("sk", "npm", "cio", "oy2", "pat", "hf", "r8", "pul", "key", "dapi"))
        for part in name.split("/")
    ):
        assert kind_of_secret(name) is None


@given(st.text(string.ascii_letters + string.digits + " =:@/?&;,.\"'{}$<>-_%\\", max_size=120))
def test_masking_is_done_once(text: str) -> None:
    """Masking adds nothing but its marks to a text."""
    masked = mask_secrets(text, "***")
    assert len(masked) <= len(text) + 3 * masked.count("***")
    assert kind_of_secret("") is None


def test_names_tell() -> None:
    """Names of secrets, names that only refer to one, and names hidden as a precaution are told apart."""
    assert all(
        map(
            names_secret,
            ("DB_PASSWORD", "apiKey", "api-key", "clientSecret", "auth", "registry_auth", "SSH_KEY"),
        )
    )
    assert not any(
        map(
            names_secret, ("password_file", "secretName", "token-type", "author", "key", "compass", "kms_key")
        )
    )
    assert all(map(may_name_secret, ("SIGNING_KEY", "key", "Pass", "X-AUTH")))
    assert looks_random(BODY[:20])
    assert not looks_random("docker-image-name-with-9-words")


HOSTILE = [
    "-,", "://a:", "://", "eyJ-", "eyJaaaaaaaaaaaa.", "a=", 'a="', "--a ", "a: ", "'a':'", "a/", "a.", "-", "AKIA", "Bearer ", "curl -u ", "login ",
    "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "password=", "%41", '\\"', "aA0/", "YWJj", "://a@", "://a:b@", "$2y$", "?sig=a", "authorization: ",
]  # fmt: skip


@pytest.mark.timeout(120)
@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_keeps_the_search_busy(unit: str) -> None:
    """Searching 200,000 characters that start like a secret ends without quadratic cost."""
    text = unit * (200_000 // len(unit))
    kind_of_secret(text)
    assert len(mask_secrets(text, "***")) <= len(text) * 4
