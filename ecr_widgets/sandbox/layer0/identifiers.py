"""Ids, ARNs and times as Layer0 and ECS write them."""

from __future__ import annotations

import hashlib
import itertools
import re
import time

PREFIX = "local"
"""Name of this Layer0 instance: on AWS everything would be called `l0-local-…`."""
REGION = "us-west-2"
ACCOUNT = "111222333444"
ID_LENGTH = 12

_count = itertools.count()


def entity_id(name: str) -> str:
    """Make an id as Layer0 does: up to seven characters of the name, padded with hexadecimal digits."""
    stem = re.sub(r"[^A-Za-z0-9]", "", name)[:7]
    # Layer0 hashes only the time; the count makes two ids from the same moment differ.
    return (stem + hashlib.md5(f"{time.time_ns()}{next(_count)}".encode()).hexdigest())[:ID_LENGTH]


def task_arn(environment_id: str, copy: str) -> str:
    """The ARN of an ECS task in an environment's cluster."""
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/l0-{PREFIX}-{environment_id}/{copy}"


def family(deploy_name: str) -> str:
    """The family name of a deploy's task definitions."""
    return f"l0-{PREFIX}-{deploy_name}"
