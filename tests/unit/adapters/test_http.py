"""HTTP through the environment's proxies and certificate authorities."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.adapters.engine_connection import EngineConnection
from ecr_widgets.adapters.http import EnvironmentPools, proxy_for, trusted
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.adapters.notify import notify
from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.errors import EcrWidgetsError, SettingsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.settings import Layer0Settings
from tests.unit.adapters.scripted import answering, http

HOST = "111222333444.dkr.ecr.us-east-1.amazonaws.com"
TOKEN = AuthorizationToken(HOST, "AWS", "password", datetime.now(UTC), datetime.now(UTC))
CLIENTS: dict[str, Callable[[], object]] = {
    "STS": lambda: BotoEcr().identity(),
    "ECR": lambda: BotoEcr().authorization_token(),
    "registry": lambda: OciRegistry().find_digest(ImageReference.parse(f"{HOST}/app:1"), TOKEN),
    "Layer0": lambda: Layer0Api(Layer0Settings("https://layer0.example.com", "token-token")).version(),
    "notice": lambda: notify({}, url="https://hooks.example.com/secret"),
}


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxies, no bundles, and an AWS identity."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nosecret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setattr("ecr_widgets.adapters.layer0.transport.time.sleep", lambda _: None)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_asks_the_proxy(monkeypatch: pytest.MonkeyPatch, client: str, name: str) -> None:
    """Clients for AWS, the registry, Layer0 and notices all use HTTPS_PROXY in either case, without resolving the host."""
    with answering(http(502)) as proxy:
        monkeypatch.setenv(name, proxy.url)
        try:
            CLIENTS[client]()
        except EcrWidgetsError:
            pass
    assert {each.method for each in proxy.asked} == {"CONNECT"}


@pytest.mark.parametrize(
    ("url", "no_proxy", "goes_by_it"),
    [
        ("https://layer0.example.com/", "", True),
        ("https://layer0.example.com/", "example.com", False),
        ("https://layer0.example.com/", ".example.com,other", False),
        ("https://notexample.com/", ".example.com", True),
        ("https://layer0.example.com/", "*", False),
        ("https://10.1.2.3:8443/", "10.0.0.0/8", False),
        ("https://11.1.2.3/", "10.0.0.0/8", True),
        ("https://127.0.0.1:1/", "", False),
        ("https://localhost/", "", False),
        ("https://[::1]:5000/", "", False),
    ],
)
def test_no_proxy_is_read_as_docker_reads_it(
    monkeypatch: pytest.MonkeyPatch, url: str, no_proxy: str, *, goes_by_it: bool
) -> None:
    """NO_PROXY takes names, domains and networks as for Docker, and loopback never goes through the proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) == ("http://proxy.example.com:3128" if goes_by_it else None)


def test_loopback_is_asked_directly_for_aws_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS endpoints on loopback are reached directly, although boto3 by itself would use the proxy."""
    with answering(http(500)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with pytest.raises(EcrWidgetsError):
            BotoEcr().authorization_token()
    assert server.asked[0].target == "/"


def test_a_proxys_password_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's password is sent to the proxy and appears in no message."""
    with answering(http(407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s%40fe-word@{proxy.host}")
        with pytest.raises(EcrWidgetsError) as caught:
            CLIENTS["registry"]()
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic bWU6c0BmZS13b3Jk"
    assert "fe-word" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://p:1", "http://", "http://p:port", "http://a b"])
def test_a_proxy_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """An unusable proxy is refused with an error that names HTTPS_PROXY."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(SettingsError, match="HTTPS_PROXY"):
        EnvironmentPools().request("GET", "https://example.com/")


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_bundle_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: str, name: str
) -> None:
    """A missing CA bundle is an error that names its variable, for every client."""
    monkeypatch.setenv(name, str(tmp_path / "no.pem"))
    with pytest.raises(SettingsError, match=name):
        CLIENTS[client]()


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_bundle_adds_to_what_the_machine_trusts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """A CA bundle adds to the machine's own authorities; a file without certificates is refused."""
    before = len(trusted().get_ca_certs())
    authority = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not authority:
        pytest.skip("this machine trusts no authority to make a bundle of")
    bundle = tmp_path / "own.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    (tmp_path / "empty.pem").write_text(ssl.DER_cert_to_PEM_cert(authority[0]))
    bundle.write_text(ssl.DER_cert_to_PEM_cert(authority[-1]))
    monkeypatch.setenv(name, str(bundle))
    assert len(trusted().get_ca_certs()) == 2 <= before
    bundle.write_text("nothing")
    _forget_what_was_read()
    with pytest.raises(SettingsError, match="holds no certificates"):
        trusted()


def _forget_what_was_read() -> None:
    from ecr_widgets.adapters.http import _trusted

    _trusted.cache_clear()


@pytest.fixture
def of_next_year(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a TLS server whose certificate is trusted and not valid yet, as for a clock that is behind."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(datetime.now(UTC) + timedelta(days=365))
    made = made.not_valid_after(datetime.now(UTC) + timedelta(days=366))
    made = made.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
    )
    bundle = tmp_path / "server.pem"
    bundle.write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, tmp_path / "key.pem")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("client", ["Layer0", "AWS"])
def test_a_certificate_that_is_refused_for_its_time_points_at_the_clock(
    of_next_year: str, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    """A machine whose clock is wrong takes good certificates for expired, or for not valid yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{of_next_year}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    call = {
        "Layer0": lambda: Layer0Api(Layer0Settings(f"https://{of_next_year}", "token-token")).version(),
        "AWS": lambda: BotoEcr().identity(),
    }[client]
    with pytest.raises(
        EcrWidgetsError, match=r"not yet valid.*; check this machine's clock; if it is right, "
    ):
        call()


@pytest.mark.parametrize("client", ["Layer0", "engine"])
def test_a_certificate_that_is_accepted_unverified_is_not_warned_about(
    of_next_year: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: str
) -> None:
    """If the user has turned verification off, no request warns of it; each would, on its own."""
    if client == "engine":
        meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"lab").hexdigest() / "meta.json"
        meta.parent.mkdir(parents=True)
        endpoint = {"Host": f"tcp://{of_next_year}", "SkipTLSVerify": True}
        meta.write_text(json.dumps({"Name": "lab", "Endpoints": {"docker": endpoint}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        monkeypatch.setenv("DOCKER_CONTEXT", "lab")
        monkeypatch.delenv("DOCKER_HOST", raising=False)
    call = {
        "Layer0": lambda: Layer0Api(
            Layer0Settings(f"https://{of_next_year}", "token-token", skip_ssl_verify=True)
        ).version(),
        "engine": lambda: EngineConnection().facts,
    }[client]
    # A warning is an error in tests.
    with pytest.raises(EcrWidgetsError, match="Error code: 501"):
        call()
