"""A scripted AWS: responses per operation, injected where botocore would send, and the requests as they would go out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.session import get_session

from ecr_widgets.adapters.ecs.client import BotoEcs
from tests.fakes import FakeClock, World
from tests.fakes.ecs import ADDRESS

STS = (
    f"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{ADDRESS.account}:user/operator</Arn>"
    f"<UserId>AIDA</UserId><Account>{ADDRESS.account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
_MODELS = get_session().get_component("data_loader")
"""Loaded once for all tests: loading takes longer than any of them."""


@dataclass(frozen=True)
class Refused:
    """An error response."""

    code: str
    message: str = ""
    status: int = 400


class Body(BytesIO):
    """A response body as botocore reads it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


Answer = Mapping[str, Any] | Refused | bytes | Exception


@dataclass
class ScriptedAws:
    """Answers each call of an operation with its next answer, and repeats the last one."""

    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Operations and their parameters in order, without GetCallerIdentity unless it is scripted."""
    world: World = field(default_factory=World)

    def answer(self, operation: str, *answers: Answer) -> None:
        """Script the answers of one operation."""
        self.answers[operation] = list(answers)

    def asked_for(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of each call of one operation."""
        return [members for name, members in self.asked if name == operation]

    def ecs(self, region: str = ADDRESS.region) -> BotoEcs:
        """Return the adapter, connected to this AWS."""
        core = get_session()
        core.register_component("data_loader", _MODELS)
        session = boto3.Session(
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="nosecret",
            region_name=region,
            botocore_session=core,
        )
        session.events.register("before-send", self._send)
        return BotoEcs(FakeClock(self.world), session)

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        operation, members = _read(request)
        if operation == "GetCallerIdentity" and not self.answers[operation]:
            return _response(request, 200, STS.encode())
        self.asked.append((operation, members))
        assert self.answers[operation], f"{operation} is not scripted: {members}"
        answers = self.answers[operation]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Refused):
            body = {"__type": answer.code, "message": answer.message}
            return _response(request, answer.status, json.dumps(body).encode())
        return _response(request, 200, answer if isinstance(answer, bytes) else json.dumps(answer).encode())


def _read(request: AWSPreparedRequest) -> tuple[str, dict[str, Any]]:
    body = request.body or b""
    text = body if isinstance(body, str) else bytes(body).decode()
    target = request.headers.get("X-Amz-Target")
    if target:
        name = target.decode() if isinstance(target, bytes) else target
        return name.rpartition(".")[2], json.loads(text)
    members = dict(parse_qsl(text))
    return members.pop("Action"), members


def _response(request: AWSPreparedRequest, status: int, body: bytes) -> AWSResponse:
    return AWSResponse(request.url, status, {"Content-Type": "application/x-amz-json-1.1"}, Body(body))
