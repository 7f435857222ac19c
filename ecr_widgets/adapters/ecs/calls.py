"""What all calls to ECS share: each is answered or refused, or its reply is lost and it may be done."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

from ecr_widgets.adapters.aws_calls import AwsErrors, Refusal, is_throttled, may_be_done
from ecr_widgets.adapters.aws_session import AwsSession
from ecr_widgets.adapters.ecs.decode import account_of, failure_text, objects, texts
from ecr_widgets.adapters.ecs.wire import Wire, ask, keep_json
from ecr_widgets.errors import (
    AuthorizationError,
    ConcurrentChange,
    DeployTargetUnavailable,
    EcrWidgetsError,
    EcsError,
    EntityNotFound,
    InputError,
    OutcomeUnknown,
)
from ecr_widgets.model.ecs_names import EcsAddress
from ecr_widgets.ports import Clock

T = TypeVar("T")

ERRORS = AwsErrors(
    unavailable=DeployTargetUnavailable,
    refused=EcsError,
    refusals=(
        Refusal("ClusterNotFoundException", EntityNotFound, "list them with `aws ecs list-clusters`"),
        Refusal("ServiceNotFoundException", EntityNotFound, "list them with `ecr-widgets service list`"),
        Refusal("Unable to describe task definition", EntityNotFound, "a deploy's id is FAMILY:REVISION"),
        Refusal("task was not found", EntityNotFound, "ECS reports a task for one hour after its end"),
        Refusal("TaskDefinition is inactive", EcsError, "it was deregistered: register its document again"),
        Refusal("deployment controller", InputError, "deploy it with CodeDeploy, or whatever controls it"),
        Refusal("still Draining", EcsError, "it is being deleted: wait for its end, or take another name"),
        Refusal("not idempotent", EcsError, "somebody else has created a service of that name: look at it"),
        Refusal("ServiceNotActiveException", EcsError, "it is being deleted, or was"),
        Refusal("Network Configuration must be provided", InputError, "name its subnets in a service file"),
        Refusal("No Container Instances", EcsError, "name launch type FARGATE, or add an instance"),
        Refusal(
            "Too many concurrent attempts",
            ConcurrentChange,
            "somebody else registers a revision of it at the same time: try again",
        ),
    ),
)
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses before a throttled change is requested again; jitter is added to each."""
_MOST_PAGES = 1000


class Calls:
    """Base class of the groups of calls."""

    def __init__(self, aws: AwsSession, clock: Clock) -> None:
        self._aws = aws
        self._clock = clock

    @cached_property
    def _address(self) -> EcsAddress:
        meta = ERRORS.translated("ecs", lambda: self._reading.meta)
        return EcsAddress(meta.partition, meta.region_name, self._account())

    @cached_property
    def _reading(self) -> Any:
        client = self._aws.client("ecs", validates=False)
        keep_json(client)
        return client

    @cached_property
    def _changing(self) -> Any:
        # botocore must not repeat a change: it would do so even after a request went out.
        client = self._aws.client("ecs", validates=False, attempts=1)
        keep_json(client)
        return client

    def _account(self) -> str:
        try:
            # STS is asked in each run; if it cannot be reached or refuses, ECS's own ARNs hold the account too.
            sts = ERRORS.translated(
                "sts:GetCallerIdentity", lambda: self._aws.client("sts", attempts=2, connect_timeout_s=3.0)
            )
            return str(
                ERRORS.translated("sts:GetCallerIdentity", lambda: sts.get_caller_identity()["Account"])
            )
        except (AuthorizationError, DeployTargetUnavailable):
            answer = self._read("ecs:DescribeClusters")
            named = (*objects(answer, "clusters"), *objects(answer, "failures"))
            return account_of(named)

    def _read(self, action: str, /, **members: Any) -> Wire:
        """Make a call that changes nothing; botocore repeats it if that may help."""
        return ERRORS.translated(action, lambda: ask(self._reading, action, members))

    def _change(self, action: str, /, **members: Any) -> Wire:
        """Request a change, and repeat it only if ECS throttled it.

        Raises:
            OutcomeUnknown: The request went out and no usable answer came back.
        """
        client = ERRORS.translated(action, lambda: self._changing)
        for pause_s in (*_PAUSES_S, None):
            try:
                return ERRORS.translated(action, lambda: ask(client, action, members))
            except EcrWidgetsError as error:
                if may_be_done(error.__cause__):
                    raise lost(action, error) from error
                if pause_s is None or not is_throttled(error.__cause__):
                    raise
            self._clock.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311
        raise AssertionError  # the last one returns or raises

    def _changed(self, action: str, decode: Callable[[Wire], T], /, **members: Any) -> T:
        """Request a change, and decode its answer.

        Raises:
            OutcomeUnknown: No usable answer came back.
        """
        answer = self._change(action, **members)
        try:
            return decode(answer)
        except DeployTargetUnavailable as error:
            # The call succeeded, but the reply does not say what it did.
            raise lost(action, error) from error

    def _listed(self, action: str, name: str, *, pages: int = _MOST_PAGES, **members: Any) -> Iterator[str]:
        """ARNs or names, from all pages or at most so many."""
        seen: set[str] = set()
        token = ""
        while len(seen) < pages and token not in seen:
            seen.add(token)
            answer = self._read(action, **members, **({"nextToken": token} if token else {}))
            yield from texts(answer, name)
            token = str(answer.get("nextToken") or "")
            if not token:
                return
        if pages == _MOST_PAGES or token in seen:
            raise EcsError(f"the list that answers {action} does not end", hint="check AWS_ENDPOINT_URL")

    def _described(
        self, action: str, name: str, asked: Sequence[str], *, at_once: int, by: str = "", **members: Any
    ) -> Iterator[Wire]:
        """Descriptions of the entities asked for; those that do not exist are left out.

        Args:
            name: The answer's member with the descriptions.

            at_once: Most entities per call.

            by: The request's member that names the entities; empty if it is called like the answer's.
        """
        for start in range(0, len(asked), at_once):
            answer = self._read(action, **members, **{by or name: list(asked[start : start + at_once])})
            for failure in objects(answer, "failures"):
                if failure.get("reason") != "MISSING":
                    raise EcsError(f"{action} failed: {failure_text(failure)}")
            yield from objects(answer, name)


def lost(action: str, error: EcrWidgetsError) -> OutcomeUnknown:
    """The error for a change whose reply was lost, so that it may be done."""
    return OutcomeUnknown(
        f"ECS's reply to {action} was lost: {error.message}",
        hint="check whether it was done before you ask again",
    )
