"""Other AWS services that ECS users need: moto's, with changes kept for the folder's next sandbox.

moto makes random ids. Each changing call gets its own random seed, so that repeating it makes the same ids.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from ecr_widgets.sandbox.ecr.call_log import CallLog
from ecr_widgets.sandbox.layer0.identifiers import PREFIX

_Module = Literal["applicationautoscaling", "ec2", "elbv2", "events", "iam", "logs", "secretsmanager", "ssm"]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MODULES: dict[str, _Module] = {
    "application-autoscaling": "applicationautoscaling",
    "ec2": "ec2",
    "elasticloadbalancing": "elbv2",
    "events": "events",
    "iam": "iam",
    "logs": "logs",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
}
"""moto's modules, by the service name that requests are signed for."""
_TARGETS = {"logs": "Logs_20140328", "secretsmanager": "secretsmanager", "ssm": "AmazonSSM"}
_READS = ("Describe", "List", "Get", "Filter", "BatchGet", "Lookup")
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


class Neighbours:
    """moto's services, each loaded on first use.

    Args:
        folder: Where changes are kept.
    """

    def __init__(self, folder: Path, *, account: str, region: str) -> None:
        self._account, self._region = account, region
        self._calls = CallLog(folder / "neighbours.jsonl")
        self._applications: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._count = 0
        self.target_health: Callable[[str], list[dict[str, Any]] | None] = lambda _: None
        """Returns the real health of a target group's targets if it is known; moto makes it up."""

    def application(self, name: str) -> Application:
        """The WSGI application that answers a service's requests."""

        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            body = environ["wsgi.input"].read()
            target = environ.get("HTTP_X_AMZ_TARGET", "")
            status, headers, content = self._call(name, target, body, environ.get("CONTENT_TYPE", ""))
            start_response(status, headers)
            return [content]

        return call

    def ask(self, name: str, operation: str, **members: Any) -> dict[str, Any]:
        """Call a service that speaks JSON; returns its response, or its error with `__type`."""
        body = json.dumps(members).encode()
        _, _, content = self._call(name, f"{_TARGETS[name]}.{operation}", body, "application/x-amz-json-1.1")
        answer: dict[str, Any] = json.loads(content or b"{}")
        return answer

    def instance_id(self) -> str:
        """The one EC2 instance that exists from the start: ECS's container instance."""
        from moto.ec2.models import ec2_backends

        with self._lock:
            self._loaded("ec2")
            instances = ec2_backends[self._account][self._region].all_instances()
            return str(instances[0].id)

    def target_group(self, arn: str) -> Any:
        """One of moto's target groups; None if it does not exist."""
        with self._lock:
            return self._balancing().target_groups.get(arn)

    def log_group(self, name: str) -> Any:
        """One of moto's log groups; None if it does not exist."""
        from moto.logs.models import logs_backends

        with self._lock:
            self._loaded("logs")
            return logs_backends[self._account][self._region].groups.get(name)

    def listener_port(self, target_group_arn: str) -> int:
        """The port of a listener that forwards to a target group; 0 if there is none."""
        with self._lock:
            for balancer in self._balancing().load_balancers.values():
                for listener in balancer.listeners.values():
                    if target_group_arn in json.dumps(
                        [vars(each) for each in listener.default_actions], default=str
                    ):
                        return int(listener.port)
        return 0

    def tag_target_group(self, arn: str, key: str, value: str) -> None:
        """Set a tag on a target group."""
        with self._lock:
            if self.target_group(arn) is not None:
                self._balancing().tagging_service.tag_resource(arn, [{"Key": key, "Value": value}])

    def close(self) -> None:
        self._calls.close()

    def _call(self, name: str, target: str, body: bytes, content_type: str) -> tuple[str, Any, bytes]:
        with self._lock:
            application = self._loaded(name)
            operation = target.rpartition(".")[2] or _action(body)
            if operation.startswith(_READS):
                return self._make(application, name, target, body, content_type)
            self._count += 1
            reply = self._make(application, name, target, body, content_type, seed=self._count)
            if reply[0].startswith("2"):
                kept = {
                    "target": target,
                    "body": base64.b64encode(body).decode(),
                    "type": content_type,
                    "seed": self._count,
                }
                self._calls.add(name, kept)
            return reply

    def _loaded(self, name: str) -> Any:
        if name not in self._applications:
            from moto.moto_server.werkzeug_app import create_backend_app

            application = self._applications[name] = create_backend_app(MODULES[name])
            self._seed(name, application)
            for call in self._calls.earlier:
                if call.operation == name:
                    kept: Mapping[str, Any] = call.parameters
                    self._count = max(self._count, kept["seed"])
                    body = base64.b64decode(kept["body"])
                    self._make(application, name, kept["target"], body, kept["type"], seed=kept["seed"])
        return self._applications[name]

    def _balancing(self) -> Any:
        from moto.elbv2.models import elbv2_backends

        backend = elbv2_backends[self._account][self._region]
        self._loaded("elasticloadbalancing")
        return backend

    def _correct_health(self) -> None:
        backend = self._balancing()
        plain = type(backend).describe_target_health

        def describe_target_health(arn: str, targets: list[dict[str, Any]]) -> Any:
            true_health = self.target_health(arn)
            if true_health is None:
                return plain(backend, arn, targets)
            wanted = {(each.get("Id"), str(each.get("Port") or each)) for each in targets or ()}
            return [
                each
                for each in true_health
                if not wanted or (each["Target"]["Id"], str(each["Target"]["Port"])) in wanted
            ]

        backend.describe_target_health = describe_target_health

    def _seed(self, name: str, application: Any) -> None:
        """Create what exists from the start."""
        if name == "elasticloadbalancing":
            self._correct_health()
        if name == "logs":
            target = f"{_TARGETS[name]}.CreateLogGroup"
            for group in ("/ecs/demo", f"l0-{PREFIX}"):
                body = json.dumps({"logGroupName": group}).encode()
                self._make(application, name, target, body, "application/x-amz-json-1.1")
        if name == "ec2":
            wanted: dict[str, Any] = {
                "Action": "RunInstances",
                "Version": "2016-11-15",
                "MinCount": 1,
                "MaxCount": 1,
            }
            tag = "TagSpecification.1.Tag.1."
            wanted |= {
                "TagSpecification.1.ResourceType": "instance",
                f"{tag}Key": "Name",
                f"{tag}Value": "sandbox",
            }
            form = urlencode(wanted | {"ImageId": "ami-12c6146b", "InstanceType": "m5.large"}).encode()
            self._make(application, name, "", form, "application/x-www-form-urlencoded", seed=0)
        if name == "iam":
            wanted = {
                "Action": "CreateRole",
                "Version": "2010-05-08",
                "RoleName": "ecsTaskExecutionRole",
                "AssumeRolePolicyDocument": json.dumps(_TRUST),
            }
            self._make(application, name, "", urlencode(wanted).encode(), "application/x-www-form-urlencoded")

    def _make(
        self,
        application: Any,
        name: str,
        target: str,
        body: bytes,
        content_type: str,
        seed: int | None = None,
    ) -> tuple[str, Any, bytes]:
        from moto.moto_api._internal import mock_random

        if seed is not None:
            mock_random.seed(seed)
        scope = f"sandbox/20260101/{self._region}/{name}/aws4_request"
        headers = {
            "Content-Type": content_type,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        } | ({"X-Amz-Target": target} if target else {})
        reply = application.test_client().post("/", headers=headers, data=body)
        kept = [pair for pair in reply.headers.items() if pair[0].lower() != "content-length"]
        return reply.status, [*kept, ("Content-Length", str(len(reply.data)))], reply.data


def _action(body: bytes) -> str:
    """The operation of a request in AWS's query format."""
    pairs = dict(each.partition(b"=")[::2] for each in body.split(b"&"))
    return pairs.get(b"Action", b"").decode()
