"""Part C on single lines: engines that are none, streams that fail inside a 200, untrusted certificates, redirects."""

# ruff: noqa: PT017 -- a row judges errors of several kinds, not one that it expects

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from unittest import mock

import docker
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.errors import (
    AuthorizationError,
    EcrWidgetsError,
    EngineError,
    EngineUnavailable,
    Layer0Unavailable,
    OutcomeUnknown,
    PushError,
    RegistryError,
    RegistryUnavailable,
    RepositoryNotFound,
    SettingsError,
    TagImmutable,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import ignore_progress
from ecr_widgets.settings import Layer0Settings
from tests.faults.plan import Attempt, leaving_sockets, row
from tests.ports import free_port
from tests.unit.adapters.scripted import RESET, Request, answering, chunked, http

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SECRET = "a-password-that-goes-nowhere"
DIGEST = "sha256:" + "a" * 64
VERSION = json.dumps({"ApiVersion": "1.41", "Version": "20.10.24", "MinAPIVersion": "1.12"}).encode()


def _token(host: str) -> AuthorizationToken:
    return AuthorizationToken(host, "AWS", SECRET, NOW, NOW + timedelta(hours=12))


@contextmanager
def _engine_at(at: Attempt, address: str) -> Iterator[None]:
    with mock.patch.dict("os.environ", {"DOCKER_HOST": address, "DOCKER_CONFIG": str(at.folder)}):
        yield


TOLD = {
    "denied: User: arn:aws:iam::1:user/x is not authorized to perform: ecr:PutImage": AuthorizationError,
    "no basic auth credentials": AuthorizationError,
    "name unknown: The repository with name 'a' does not exist in the registry": RepositoryNotFound,
    "tag invalid: The image tag '1' already exists in the 'a' repository and cannot be overwritten": TagImmutable,
    "received unexpected HTTP status: 500 Internal Server Error": PushError,
    "blob upload unknown": PushError,
    "unexpected EOF": PushError,
}


@leaving_sockets()
def _told_inside(at: Attempt, *, naive: bool) -> None:
    text = sorted(TOLD)[at.seed % len(TOLD)]
    before = [{"status": "Preparing", "id": "0"}] * at.rng.randrange(5)
    failure = at.rng.choice(({"errorDetail": {"message": text}, "error": text}, {"error": text}))
    after = [{"aux": {"Tag": "1", "Digest": DIGEST}}] if at.rng.random() < 0.3 else []
    stream = chunked(*(json.dumps(each).encode() + b"\r\n" for each in [*before, failure, *after]))

    def say(request: Request) -> bytes:
        return http(200, VERSION) if request.target.endswith(("/version", "/info")) else stream

    with answering(say) as server, _engine_at(at, f"tcp://{server.host}"):
        image = ImageReference.parse("127.0.0.1:5000/a:1")
        try:
            if naive:
                # It gives the events as text, and leaves it to the caller to look.
                docker.from_env(version="1.41").images.push(image.name, tag="1")
            else:
                DockerEngine().push(image, _token("127.0.0.1:5000"), progress=ignore_progress)
        except EcrWidgetsError as error:
            assert text in str(error), error
            assert isinstance(error, TOLD[text]), type(error)
        else:
            raise AssertionError(f"{text!r} was taken for a success")


@row(
    30,
    "a push that fails inside a stream with status 200",
    tries=50,
    quick=7,
    control=lambda at: _told_inside(at, naive=True),
)
def told_inside(at: Attempt) -> None:
    """The error has the registry's text and the kind that it tells of."""
    _told_inside(at, naive=False)


ENGINES: dict[str, Callable[[Request], bytes]] = {
    "reset": lambda _: RESET,
    "html": lambda _: http(200, b"<html>log in</html>", label="text/html"),
    "500": lambda _: http(500, b'{"message": "broken"}'),
    "not found": lambda _: http(404, b"404 page not found", label="text/plain"),
    "list": lambda _: http(200, b"[]"),
    "too old": lambda _: http(200, b'{"ApiVersion": "1.12", "Version": "1.0"}'),
    "cut": lambda _: http(200, b'{"ApiV', length=100),
}


@leaving_sockets()
def _no_engine(at: Attempt, *, naive: bool) -> None:
    kinds = ["absent", "no socket", "a file", *sorted(ENGINES)]
    kind = "absent" if naive else kinds[at.seed % len(kinds)]
    with answering(ENGINES.get(kind, lambda _: RESET)) as server:
        address = f"tcp://{server.host}"
        if kind == "absent":
            address = f"tcp://127.0.0.1:{free_port()}"
        elif kind in ("no socket", "a file"):
            address = f"unix://{at.folder / 'docker.sock'}"
            if kind == "a file":
                (at.folder / "docker.sock").touch()
        with _engine_at(at, address):
            started_s = time.monotonic()
            failed: EcrWidgetsError | None = None
            try:
                if naive:
                    # Made without a look at whether anybody is there.
                    docker.DockerClient(base_url=address, version="1.41")
                else:
                    DockerEngine().facts()
            except EcrWidgetsError as error:
                failed = error
            took_s = time.monotonic() - started_s
    assert failed is not None, f"{kind} was taken for an engine"
    assert isinstance(failed, (EngineUnavailable, EngineError, SettingsError)), type(failed)
    assert took_s < 2, f"{kind}: {took_s:.1f} s until that was known"
    assert failed.hint or kind in ("500", "not found"), failed


@row(
    44,
    "no engine, one that resets, is none, is broken or too old; found out before anything is changed",
    tries=70,
    quick=10,
    control=lambda at: _no_engine(at, naive=True),
)
def no_engine(at: Attempt) -> None:
    """A typed error within two seconds at the first look, which is the first step of every run."""
    _no_engine(at, naive=False)


def _certificate(folder: Path, kind: str) -> ssl.SSLContext:
    """A server's side of TLS; `kind` says what is wrong with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    begins, ends = (
        (now - timedelta(days=9), now - timedelta(days=1))
        if kind == "expired"
        else (now - timedelta(days=1), now + timedelta(days=1))
    )
    host: x509.GeneralName = (
        x509.DNSName("another.example") if kind == "wrong host" else x509.IPAddress(ip_address("127.0.0.1"))
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@contextmanager
def _tls(context: ssl.SSLContext) -> Iterator[tuple[int, list[bytes]]]:
    """A server that keeps what it was sent under TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), line, context.wrap_socket(line, server_side=True) as safe:
                heard.append(safe.recv(65536))
                safe.sendall(http(200, b"[]"))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _untrusted(at: Attempt, *, naive: bool) -> None:
    kind = at.rng.choice(("self-signed", "expired", "wrong host"))
    context = _certificate(at.folder, kind)
    # One is trusted by its file, and wrong all the same.
    trusted = {"SSL_CERT_FILE": str(at.folder / "certificate.pem")} if kind != "self-signed" else {}
    with _tls(context) as (port, heard), mock.patch.dict("os.environ", trusted):
        headers = {"Authorization": f"Basic {SECRET}"}
        if naive:
            with warnings.catch_warnings(), urllib3.PoolManager(cert_reqs="CERT_NONE") as http_client:
                warnings.simplefilter("ignore")
                http_client.request("GET", f"https://127.0.0.1:{port}/deploy", headers=headers, retries=False)
        else:
            api = Layer0Api(Layer0Settings(f"https://127.0.0.1:{port}", SECRET))
            call = at.rng.choice((lambda: api.version(), lambda: api.create_deploy("a", b"{}")))
            try:
                call()
            except Layer0Unavailable as error:
                assert "certificate" in str(error), error
            else:
                raise AssertionError(f"{kind} was trusted")
    assert not any(SECRET.encode() in each for each in heard), f"the token went out to {kind}"


PLAIN = (
    "layer0.example",
    "10.0.0.1",
    "169.254.1.1",
    "127.0.0.1.example",
    "localhost.example",
    "[2001:db8::1]",
)


@row(
    45,
    "certificates that are self-signed, expired or another's; plain http to another host",
    tries=50,
    quick=6,
    control=lambda at: _untrusted(at, naive=True),
)
def untrusted(at: Attempt) -> None:
    """Refused by default, and no token has gone out by then."""
    _untrusted(at, naive=False)
    host = at.rng.choice(PLAIN)
    try:
        Layer0Api(Layer0Settings(f"http://{host}:9090", SECRET))
    except SettingsError:
        pass
    else:
        raise AssertionError(f"a token for http://{host}")
    image = ImageReference.parse(f"{host.replace('[2001:db8::1]', 'registry.example')}:5000/a:1")
    asked: list[str] = []

    def request(_: object, __: str, url: str, **___: object) -> object:
        asked.append(url)
        raise urllib3.exceptions.NewConnectionError(None, "nobody")  # type: ignore[arg-type]

    with mock.patch.object(urllib3.PoolManager, "request", request), suppress(RegistryUnavailable):
        OciRegistry().find_digest(image, _token(str(image.registry)))
    assert asked
    assert all(each.startswith("https://") for each in asked), asked


def _redirected(at: Attempt, *, naive: bool) -> None:
    status = at.rng.choice((301, 302, 303, 307, 308))
    with answering(http(200, b"[]", more={"Docker-Content-Digest": DIGEST})) as other:
        # Another host by name, and another port.
        address = f"http://localhost:{other.host.rpartition(':')[2]}/v2/a/manifests/1"
        with answering(http(status, b"", more={"Location": address})) as server:
            if naive:
                request = urllib.request.Request(
                    f"{server.url}/v2/a/manifests/1", headers={"Authorization": f"Basic {SECRET}"}
                )
                with suppress(OSError):
                    urllib.request.urlopen(request, timeout=5).close()
            else:
                image = ImageReference.parse(f"{server.host}/a:1")
                api = Layer0Api(Layer0Settings(server.url, SECRET))
                calls: tuple[Callable[[], object], ...] = (
                    lambda: OciRegistry().find_digest(image, _token(server.host)),
                    api.version,
                    lambda: api.create_deploy("a", b"{}"),
                )
                try:
                    at.rng.choice(calls)()
                except (RegistryError, Layer0Unavailable, OutcomeUnknown) as error:
                    assert "redirect" in str(error), error
                else:
                    raise AssertionError("the other host's answer was taken")
        assert not [each for each in other.asked if "authorization" in each.headers], "the token went along"
        assert naive or not other.asked


@row(
    46,
    "a redirect to another host",
    tries=20,
    quick=8,
    control=lambda at: _redirected(at, naive=True),
)
def redirected(at: Attempt) -> None:
    """It is not followed, and the token stays at home."""
    _redirected(at, naive=False)
