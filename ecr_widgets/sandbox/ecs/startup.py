"""What a task needs before its containers start: its secrets, and the log groups to write to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ecr_widgets.sandbox.ecs.entities import Wire
from ecr_widgets.sandbox.neighbours import Neighbours
from ecr_widgets.sandbox.workloads.containers import CannotStart
from ecr_widgets.sandbox.workloads.records import Copy

_SECRETS_MANAGER = ":secretsmanager:"


class Startup:
    """Gets it from Secrets Manager, the Parameter Store and CloudWatch Logs."""

    def __init__(self, neighbours: Neighbours) -> None:
        self._neighbours = neighbours

    def prepare(self, given: Wire, copy: Copy) -> Mapping[str, Mapping[str, str]]:
        """The environment variables that hold secrets, by container.

        Raises:
            CannotStart: A secret or a log group is not available.
        """
        for each in given["containerDefinitions"]:
            self._check_log_group(each.get("logConfiguration") or {})
        return {
            each["name"]: {
                secret["name"]: self._secret(secret["valueFrom"]) for secret in each.get("secrets") or ()
            }
            for each in given["containerDefinitions"]
        }

    def _check_log_group(self, log: Mapping[str, Any]) -> None:
        options = log.get("options") or {}
        group = options.get("awslogs-group")
        if log.get("logDriver") != "awslogs" or not group:
            return
        if str(options.get("awslogs-create-group", "")).lower() == "true":
            self._neighbours.ask("logs", "CreateLogGroup", logGroupName=group)
            return
        if self._neighbours.log_group(group) is None:
            raise CannotStart(
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times:"
                " failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not"
                " exist. : exit status 1"
            )

    def _secret(self, value_from: str) -> str:
        if _SECRETS_MANAGER in value_from:
            return self._from_secrets_manager(value_from)
        name = value_from.partition(":parameter")[2] or value_from
        for wanted in (name, name.removeprefix("/")):
            answer = self._neighbours.ask("ssm", "GetParameter", Name=wanted, WithDecryption=True)
            if "Parameter" in answer:
                return str(answer["Parameter"]["Value"])
        raise CannotStart(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed:"
            f" unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: {name}"
        )

    def _from_secrets_manager(self, value_from: str) -> str:
        parts = value_from.split(":")
        key, stage, version = ([*parts[7:], "", "", ""])[:3]
        more = {name: value for name, value in (("VersionStage", stage), ("VersionId", version)) if value}
        answer = self._neighbours.ask(
            "secretsmanager", "GetSecretValue", SecretId=":".join(parts[:7]), **more
        )
        text = answer.get("SecretString")
        if text is None:
            raise CannotStart(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed:"
                " unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret"
                f" {value_from} from secrets manager: {answer.get('__type', '')}: {answer.get('message') or answer.get('Message')}"
            )
        if not key:
            return str(text)
        try:
            return str(json.loads(text)[key])
        except (ValueError, KeyError, TypeError) as error:
            raise CannotStart(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed:"
                f" unable to retrieve secret from asm: retrieved secret from Secrets Manager did not contain json key {key}"
            ) from error
