"""Which requests reach the stand-in for AWS: signed with one key, for two services, not from web pages."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ecr_widgets.sandbox.ecr.door import Door
from ecr_widgets.sandbox.ecr.signing import AccessKey, Fault, judge

KEY = AccessKey("SANDBOX1", "a/secret+of=the sandbox")
OWN = "127.0.0.1:4566"
TARGET = "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories"
ECR = {"X-Amz-Target": TARGET, "Content-Type": "application/x-amz-json-1.1"}


def signed(
    *,
    key: AccessKey = KEY,
    service: str = "ecr",
    url: str = f"http://{OWN}/",
    method: str = "POST",
    headers: Mapping[str, str] = ECR,
    body: bytes = b"{}",
) -> dict[str, Any]:
    """Return the WSGI environment of a request signed by an AWS client."""
    request = AWSRequest(method, url, headers=dict(headers), data=body)
    SigV4Auth(Credentials(key.key_id, key.secret), service, "eu-west-1").add_auth(request)
    parts = urlsplit(url)
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "HTTP_HOST": parts.netloc,
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in request.headers.items():
        plain = name.upper().replace("-", "_")
        environ[plain if plain in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{plain}"] = value
    return environ


def ask(environ: dict[str, Any]) -> tuple[int, str]:
    """Return status and text; the text is `served ecr` if the request got through."""

    def service(name: str) -> Any:
        def call(given: dict[str, Any], start: Any) -> list[bytes]:
            start("200 OK", [])
            return [b"served " + name.encode() + b" " + given["wsgi.input"].read()]

        return call

    told: list[str] = []
    door = Door({"ecr": service("ecr"), "sts": service("sts")}, KEY, lambda: OWN)
    answer = b"".join(door(environ, lambda status, _: told.append(status)))
    return int(told[0][:3]), answer.decode()


@pytest.mark.parametrize(
    "request_of",
    [
        pytest.param({}, id="ECR"),
        pytest.param({"headers": {**ECR, "X-Odd": "  two   blanks "}}, id="blanks in a header"),
        pytest.param({"body": '{"repositoryName": "ä"}'.encode()}, id="not ASCII"),
        pytest.param({"headers": {**ECR, "X-Amz-Security-Token": "t"}}, id="a session token left over"),
    ],
)
def test_what_the_sandboxs_key_signed_is_served(request_of: dict[str, Any]) -> None:
    """A request that the sandbox's key signed is served with its whole body."""
    assert ask(signed(**request_of)) == (200, f"served ecr {request_of.get('body', b'{}').decode()}")


def test_sts_is_served_by_post_and_by_get() -> None:
    """STS is served by POST and by GET, with its action in the form or the query."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    assert ask(signed(service="sts", headers=form, body=body)) == (200, f"served sts {body.decode()}")
    url = f"http://{OWN}/?Version=2011-06-15&Action=GetCallerIdentity&b=%20x%2F&a="
    assert ask(signed(service="sts", method="GET", url=url, headers={}, body=b"")) == (200, "served sts ")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"HTTP_AUTHORIZATION": ""}, "MissingAuthenticationTokenException", id="unsigned"),
        pytest.param({"HTTP_AUTHORIZATION": "Basic QVdTOng="}, "MissingAuthenticationTokenException", id="basic"),
        pytest.param({"wsgi.input": io.BytesIO(b'{"a": 1}')}, "InvalidSignatureException", id="another body"),
        pytest.param({"REQUEST_METHOD": "PUT"}, "InvalidSignatureException", id="another method"),
        pytest.param({"QUERY_STRING": "a=1"}, "InvalidSignatureException", id="another query"),
        pytest.param({"PATH_INFO": "/moto-api/reset"}, "InvalidSignatureException", id="another path"),
        pytest.param({"HTTP_X_AMZ_TARGET": "X.DeleteRepository"}, "InvalidSignatureException", id="another call"),
        pytest.param({"HTTP_X_AMZ_DATE": "20260101T000000Z"}, "InvalidSignatureException", id="another date"),
    ],
)  # fmt: skip
def test_what_it_did_not_sign_is_refused_as_aws_does(change: dict[str, Any], code: str) -> None:
    """A request that differs from what was signed is refused with AWS's error code."""
    status, text = ask(signed() | change)
    assert (status, json.loads(text)["__type"]) == (400, code)


def test_another_key_opens_nothing() -> None:
    """Another key id, or the right id with another secret, is refused."""
    for key, code in (
        (AccessKey("AKIDEXAMPLE", KEY.secret), "UnrecognizedClientException"),
        (AccessKey(KEY.key_id, "other"), "InvalidSignatureException"),
    ):
        assert json.loads(ask(signed(key=key))[1])["__type"] == code
        assert ask(signed(service="sts", key=key, headers={}, body=b"Action=A"))[0] == 403


@pytest.mark.parametrize("service", ["batch", "lambda", "iam", "sns", "ec2", "s3", "ECR", "moto_api"])
def test_no_other_service_is_there(service: str) -> None:
    """Any other AWS service is refused, even if the request is signed with the right key."""
    status, text = ask(signed(service=service))
    assert (status, "serves ecr, sts" in text) == (400, True)


@pytest.mark.parametrize("path", ["/moto-api/", "/moto-api/data.json", "/v1/submitjob", "//", ""])
def test_no_other_path_is_there(path: str) -> None:
    """Any other path is refused, even if the request is signed with the right key."""
    assert ask(signed(url=f"http://{OWN}{path}") | {"PATH_INFO": path})[0] in (400, 403)


@pytest.mark.parametrize(
    "header",
    [
        {"HTTP_ORIGIN": "http://evil.example.com"}, {"HTTP_ORIGIN": "null"}, {"HTTP_ORIGIN": ""}, {"HTTP_ORIGIN": f"http://{OWN}"},
        {"HTTP_HOST": "evil.example.com:4566"}, {"HTTP_HOST": "127.0.0.1"}, {"HTTP_HOST": "localhost:4566"},
        {"HTTP_HOST": f"{OWN},{OWN}"}, {"HTTP_HOST": ""}, {"HTTP_HOST": None},
    ],
)  # fmt: skip
def test_pages_of_the_web_are_refused(header: dict[str, Any]) -> None:
    """A request from a web page is refused, with any method."""
    for method in ("POST", "OPTIONS", "GET"):
        status, text = ask(signed() | header | {"REQUEST_METHOD": method})
        assert (status, "served" in text) == (403, False)


@pytest.mark.parametrize(
    ("minutes", "served"), [(0, True), (14, True), (-14, True), (16, False), (-16, False)]
)
def test_a_signature_lives_a_quarter_of_an_hour(minutes: int, *, served: bool) -> None:
    """A signature is valid for 15 minutes before and after its time."""
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    assert (judge(signed(), b"{}", KEY, now=now) == "ecr") is served
    assert served or judge(signed(), b"{}", KEY, now=now) is Fault.EXPIRED


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-target"])
def test_what_decides_must_be_signed(name: str) -> None:
    """A signature that leaves out a header which decides what is called is refused."""
    request = AWSRequest("POST", f"http://{OWN}/", headers=ECR, data=b"{}")
    auth = SigV4Auth(Credentials(KEY.key_id, KEY.secret), "ecr", "eu-west-1")
    every = auth.headers_to_sign

    def without(given: Any) -> Any:
        found = every(given)
        del found[name]
        return found

    auth.headers_to_sign = without
    auth.add_auth(request)
    environ = {f"HTTP_{key.upper().replace('-', '_')}": value for key, value in request.headers.items()}
    environ |= {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "HTTP_HOST": OWN,
        "CONTENT_TYPE": ECR["Content-Type"],
    }
    assert judge(environ, b"{}", KEY) is Fault.WRONG


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_what_a_program_in_between_was_asked_is_served(name: str) -> None:
    """A request signed for a forwarder on loopback is served as long as the forwarder is listening."""
    with socket.create_server(("127.0.0.1", 0)) as forwarder:
        environ = signed(url=f"http://{name}:{forwarder.getsockname()[1]}/") | {"HTTP_HOST": OWN}
        assert ask(environ)[0] == 200
    assert ask(environ | {"wsgi.input": io.BytesIO(b"{}")})[0] == 400, "nothing listens there any more"


@pytest.mark.parametrize(
    "host", ["evil.example.com:{}", "127.0.0.1.evil.example.com:{}", "192.0.2.1:{}", "127.0.0.1"]
)
def test_a_signature_for_another_machine_opens_nothing(host: str) -> None:
    """A request signed for another machine is refused, even if its port is in use on this one."""
    with socket.create_server(("127.0.0.1", 0)) as forwarder:
        environ = signed(url=f"http://{host.format(forwarder.getsockname()[1])}/") | {"HTTP_HOST": OWN}
        assert json.loads(ask(environ)[1])["__type"] == "InvalidSignatureException"


def test_a_forwarder_is_no_way_past_the_key() -> None:
    """A request sent through a forwarder is refused if another key signed it or if its body was changed."""
    with socket.create_server(("127.0.0.1", 0)) as forwarder:
        url = f"http://127.0.0.1:{forwarder.getsockname()[1]}/"
        other = signed(url=url, key=AccessKey(KEY.key_id, "other")) | {"HTTP_HOST": OWN}
        assert ask(other)[0] == 400
        changed = signed(url=url) | {"HTTP_HOST": OWN, "wsgi.input": io.BytesIO(b'{"a": 1}')}
        assert ask(changed)[0] == 400


def test_a_body_is_what_its_signed_digest_says() -> None:
    """The body is checked against the signed digest, and an unsigned payload is refused."""
    digest = {**ECR, "X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()}
    assert ask(signed(headers=digest))[0] == 200
    assert ask(signed(headers=digest) | {"wsgi.input": io.BytesIO(b'{"a": 1}')})[0] == 400
    assert ask(signed(headers=digest | {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}))[0] == 400


_SERVE = """
import asyncio, pathlib, sys
from ecr_widgets.sandbox.ecr import AccessKey, EcrSandbox

async def serve():
    ecr = EcrSandbox(pathlib.Path(sys.argv[1]), access_key=AccessKey("a", "b"))
    ecr.listen()
    await ecr.close()

asyncio.run(serve())
print(*{name.split(".")[1] for name in sys.modules if name.startswith("moto.")})
"""


def test_services_that_run_containers_are_not_even_loaded(tmp_path: Path) -> None:
    """Serving ECR and STS does not load moto's services that run containers."""
    command = [sys.executable, "-c", _SERVE, str(tmp_path)]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert {"ecr", "sts"} <= loaded
    assert not loaded & {"batch", "awslambda", "ec2", "sns"}
