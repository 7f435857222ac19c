"""Names in Amazon ECS: the cluster that an environment name means, and the long ARNs that this kit uses as ids.

In older accounts a service or task may have a short ARN, without its cluster; its id here is always the long one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecr_widgets.errors import InputError

LAYER0_PREFIX = "l0-"
"""How all names begin that Layer0 gives in ECS; those of clusters and services end in the entity's id."""
_PREFIX = "ecs:"
_ARN = re.compile(r"arn:(aws[a-z-]*):ecs:([a-z0-9-]+):(\d{12}):([a-z-]+)/(.+)", re.ASCII)
_CLUSTER = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


def is_ecs(name: str) -> bool:
    """Whether an environment name, or the id of something in an environment, is ECS's; all others are Layer0's.

    >>> is_ecs("ecs:demo"), is_ecs("arn:aws:ecs:us-east-1:111222333444:service/demo/web"), is_ecs("demo")
    (True, True, False)
    """
    return name.startswith(_PREFIX) or _ARN.fullmatch(name) is not None


def bare_cluster(environment: str) -> str:
    """The plain cluster name in an environment name of any form, account and region.

    >>> {bare_cluster(each) for each in ("ecs:demo", "ecs:arn:aws:ecs:us-east-1:111222333444:cluster/demo")}
    {'demo'}
    """
    return environment.removeprefix(_PREFIX).rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class EcsAddress:
    """ECS in one account and region; as text, the prefix of all its ARNs."""

    partition: str
    region: str
    account: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:ecs:{self.region}:{self.account}"

    def cluster(self, name: str) -> str:
        """A cluster's ARN."""
        return f"{self}:cluster/{name}"

    def service(self, cluster: str, name: str) -> str:
        """A service's long ARN."""
        return f"{self}:service/{cluster}/{name}"

    def task(self, cluster: str, task_id: str) -> str:
        """A task's long ARN."""
        return f"{self}:task/{cluster}/{task_id}"

    def cluster_name(self, environment: str) -> str:
        """The cluster name in `ecs:NAME`, in `ecs:` followed by an ARN, or in a plain ARN.

        Raises:
            InputError: Not a cluster name, or a cluster in another account or region.
        """
        text = environment.removeprefix(_PREFIX)
        name = self._own(text, "cluster") if text.startswith("arn:") else text
        if not _CLUSTER.fullmatch(name):
            raise InputError(
                f"{environment!r} names no ECS cluster",
                hint="ecs: and the cluster's name, of letters, digits, - and _, or its ARN",
            )
        return name

    def in_cluster(self, entity_id: str, kind: str) -> tuple[str, str]:
        """The cluster and the last part of a service's or task's id.

        Raises:
            InputError: Not such an id, or one in another account or region.
        """
        cluster, slash, name = self._own(entity_id, kind).partition("/")
        if not slash or not name:
            raise InputError(
                f"{entity_id!r} does not say which cluster the {kind} is in",
                hint=f"use its long ARN: {self}:{kind}/CLUSTER/{name or cluster}",
            )
        return cluster, name

    def _own(self, arn: str, kind: str) -> str:
        match = _ARN.fullmatch(arn)
        if match is None or match[4] != kind:
            raise InputError(f"{arn!r} is not the ARN of an ECS {kind}", hint=f"such as {self}:{kind}/...")
        if (match[1], match[2], match[3]) != (self.partition, self.region, self.account):
            wrong = "region" if match[2] != self.region else "account"
            raise InputError(
                f"wrong {wrong}: {arn} is not in {self.region} of account {self.account}, where this run works",
                hint="set AWS_REGION and AWS_PROFILE for the cluster's region and account",
            )
        return match[5]
