"""ARNs, and what people may write instead."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

_LETTERS = string.ascii_letters + string.digits + "_-"


@dataclass(frozen=True, slots=True)
class Names:
    """The ARNs of one account and region."""

    account: str
    region: str

    def cluster(self, name: str) -> str:
        return self._arn("cluster", name)

    def service(self, service_id: str) -> str:
        return self._arn("service", service_id)

    def definition(self, definition_id: str) -> str:
        return self._arn("task-definition", definition_id)

    def revision(self, service_id: str, revision_id: str) -> str:
        return self._arn("service-revision", service_id, revision_id)

    def service_deployment(self, service_id: str, key: str) -> str:
        return self._arn("service-deployment", service_id, key)

    def task(self, cluster: str, task_id: str) -> str:
        return self._arn("task", cluster, task_id)

    def instance(self, cluster: str, instance_id: str) -> str:
        return self._arn("container-instance", cluster, instance_id)

    def _arn(self, *parts: str) -> str:
        return f"arn:aws:ecs:{self.region}:{self.account}:{'/'.join(parts)}"

    def log_group(self, name: str) -> str:
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{name}"

    def role(self, name: str) -> str:
        """The ARN of an IAM role or user."""
        return f"arn:aws:iam::{self.account}:{name}"


def short(name_or_arn: str) -> str:
    """The last part of a cluster's, service's or task's ARN; a plain name is returned unchanged."""
    return name_or_arn.rpartition("/")[2]


def definition_id(name_or_arn: str) -> str:
    """A task definition's `family:revision` or `family`, given its name or ARN."""
    return name_or_arn.partition("task-definition/")[2] or name_or_arn


def new_deployment_key() -> str:
    """A new last part for a service deployment's ARN."""
    return "".join(secrets.choice(_LETTERS) for _ in range(21))


def new_number() -> str:
    """A new nineteen-digit number, as service revisions and deployments have."""
    return f"{secrets.randbelow(9 * 10**18) + 10**18}"
