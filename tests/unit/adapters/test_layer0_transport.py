"""Layer0's client and broken answers, over real sockets on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.errors import (
    EcrWidgetsError,
    EntityNotFound,
    Layer0Error,
    Layer0Unavailable,
    OutcomeUnknown,
    SettingsError,
)
from ecr_widgets.settings import Layer0Settings

TOKEN = "bGF5ZXIwOm5vaGF4cGx6"


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[Layer0Api, list[bytes]]]:
    """A client of a server that answers each connection with the next bytes, and the server's requests."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def serve() -> None:
        for answer in answers:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                asked.append(_request(line))
                line.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Layer0Api(Layer0Settings(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN)), asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _request(line: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += line.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += line.recv(65536)
    return head + b"\r\n\r\n" + body


def http(status: int, body: bytes, label: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {label}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (http(200, b"<html><h1>It works</h1>", "text/html"), Layer0Unavailable, "is not Layer0: <html>"),
        (http(500, b"<html>boom", "text/html"), Layer0Unavailable, "status 500 is not Layer0"),
        (http(200, b""), Layer0Unavailable, "an empty body"),
        (http(200, b'{"deploy_id": "timeo'), Layer0Unavailable, "is not Layer0"),
        (http(200, b"42"), Layer0Unavailable, "int where an object belongs"),
        (
            http(301, b'""', more="Location: https://elsewhere/\r\n"),
            Layer0Unavailable,
            "redirect to https://elsewhere/",
        ),
        (http(401, b"401: Not Authorized", "text/plain"), Layer0Error, "refused the token"),
        (http(200, b'{"error_code": 21, "message": "no"}'), Layer0Error, "refused GET /deploy/timeout.1: no"),
        (http(404, b'{"error_code": 23, "message": "gone"}', "text/plain"), EntityNotFound, "gone"),
    ],
    ids=["html", "html-500", "empty", "cut", "number", "redirect", "wrong-token", "200-error", "404"],
)
def test_an_answer_that_is_none_is_a_typed_error(
    answer: bytes, kind: type[EcrWidgetsError], why: str
) -> None:
    """Every broken answer is an error of ours that says what was received, without the token."""
    with answering(answer) as (layer0, _), pytest.raises(kind, match=why) as caught:
        layer0.read_deploy("timeout.1")
    assert TOKEN not in str(caught.value)


def test_a_label_is_not_believed() -> None:
    """JSON is read even under a text content type."""
    with answering(http(200, b'{"deploy_id": "timeout.1", "version": "1"}', "text/plain")) as (layer0, _):
        assert layer0.read_deploy("timeout.1").version == 1


def test_an_endless_body_is_cut_off() -> None:
    """A body over the limit is an error and is not read to its end."""
    with (
        answering(http(200, b" " * (8 * 1024 * 1024 + 2))) as (layer0, _),
        pytest.raises(EcrWidgetsError, match="larger"),
    ):
        layer0._transport.change("PUT", "/service/x/deploy", {})


def test_a_read_is_repeated_while_that_may_help() -> None:
    """A read that gets a 503 is retried."""
    answers = (http(503, b"busy", "text/plain"), http(200, b'{"deploy_id": "timeout.1"}'))
    with answering(*answers) as (layer0, asked):
        assert layer0.read_deploy("timeout.1").deploy_id == "timeout.1"
    assert len(asked) == 2


def test_a_lost_reply_to_a_change_is_unknown_and_not_repeated() -> None:
    """A change whose reply is lost is sent once and reported as of unknown outcome."""
    with (
        answering(b"", http(200, b"{}")) as (layer0, asked),
        pytest.raises(OutcomeUnknown, match="POST /deploy was lost"),
    ):
        layer0.create_deploy("timeout", b"{}")
    assert len(asked) == 1


def test_a_refused_connection_changed_nothing() -> None:
    """A change to a port without a listener is reported as unavailable, not as of unknown outcome."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Layer0Unavailable, match="does not answer"):
        Layer0Api(Layer0Settings(f"http://127.0.0.1:{port}", TOKEN)).create_deploy("timeout", b"{}")


def test_the_token_does_not_cross_a_network_in_clear() -> None:
    """Plain HTTP is refused except on loopback."""
    with pytest.raises(SettingsError, match="plain http"):
        Layer0Api(Layer0Settings("http://layer0.example", TOKEN))


@pytest.mark.parametrize("endpoint", ["https://a b", "https://k\udcff"])
def test_an_address_that_no_host_can_have_is_refused_as_a_setting(endpoint: str) -> None:
    """urllib3 has an error of its own for it, which says nothing of a variable."""
    with pytest.raises(SettingsError, match="LAYER0_API_ENDPOINT"):
        Layer0Api(Layer0Settings(endpoint, TOKEN)).version()


def test_names_are_matched_exactly() -> None:
    """Deploys are listed by exact name, with versions ordered as numbers."""
    entities = [
        f'{{"entity_id": "{name}.{v}", "entity_type": "deploy", "tags": [{{"key": "name", "value": "{name}"}},'
        f'{{"key": "version", "value": "{v}"}}]}}'
        for name, v in (("timeout", 10), ("timeout", 9), ("timeout-worker", 11))
    ]
    with answering(http(200, f"[{','.join(entities)}]".encode())) as (layer0, asked):
        assert [deploy.deploy_id for deploy in layer0.list_deploys("timeout")] == ["timeout.9", "timeout.10"]
    assert b"Authorization: Basic " + TOKEN.encode() in asked[0]
