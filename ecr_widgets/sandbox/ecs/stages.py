"""Blue/green, linear and canary deployments: their stages in order, and the hooks where a deployment waits.

Source: Amazon ECS API, ServiceDeployment (`lifecycleStage`), DeploymentLifecycleHook, DeploymentLifecycleHookDetail.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ecr_widgets.sandbox.ecs.entities import Service, ServiceDeployment, Wire
from ecr_widgets.sandbox.workloads.records import Deployment, new_id

STAGES = (
    *("RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT"),
    *("POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"),
    *("POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"),
)
WAITING = "AWAITING_ACTION"
_SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
_MINUTE_S, _LONGEST_S = 1.0, 2.0
"""How long a minute of waiting takes here, and the longest wait."""
_DEFAULT_TIMEOUT_MIN = 1440


@dataclass(frozen=True)
class Progress:
    """What `advance` did."""

    changed: bool = False
    refused: str = ""
    """Why the deployment has to be rolled back; empty if it does not."""


def begins_with_stages(under_way: ServiceDeployment) -> bool:
    """Whether a deployment has stages: its strategy is not ROLLING, and it replaces something."""
    return under_way.given.get("strategy", "ROLLING") != "ROLLING" and bool(under_way.sources)


def hold(under_way: ServiceDeployment, deployment: Deployment) -> None:
    """Put a deployment in the first stage: nothing is started or replaced yet."""
    under_way.stage, under_way.stage_since_s = STAGES[0], time.time()
    deployment.may_start = deployment.may_replace = False


def advance(under_way: ServiceDeployment, service: Service, deployment: Deployment, ready: int) -> Progress:
    """Move one stage on, unless something has to be waited for.

    Args:
        ready: How many of the deployment's tasks are healthy.
    """
    if not under_way.stage or under_way.stage == STAGES[-1]:
        return Progress()
    hook = _hook_of(under_way)
    if hook is not None and under_way.stage not in under_way.passed:
        return _wait_at(under_way, hook)
    if under_way.stage == "SCALE_UP" and ready < service.desired_count:
        return Progress()
    if time.time() - under_way.stage_since_s < _wait_s(under_way):
        return Progress()
    under_way.stage_since_s = under_way.updated_at_s = time.time()
    if under_way.stage == _SHIFT and under_way.traffic_percent < 100:
        under_way.traffic_percent = _next_percent(under_way)
        return Progress(changed=True)
    under_way.stage = STAGES[STAGES.index(under_way.stage) + 1]
    if under_way.stage == _SHIFT:
        under_way.traffic_percent = _next_percent(under_way)
    deployment.may_start = deployment.may_start or under_way.stage == "SCALE_UP"
    deployment.may_replace = under_way.stage == STAGES[-1]
    return Progress(changed=True)


def weights(under_way: ServiceDeployment, *, is_target: bool) -> Wire:
    """The traffic weights of the target or of what it replaces, as DescribeServiceDeployments shows them."""
    if not under_way.stage:
        return {}
    tested = 100.0 if STAGES.index(under_way.stage) >= STAGES.index("TEST_TRAFFIC_SHIFT") else 0.0
    percents = {"Test": tested, "Production": under_way.traffic_percent}
    return {
        f"requested{kind}TrafficWeight": percent if is_target else 100.0 - percent
        for kind, percent in percents.items()
    }


def _next_percent(under_way: ServiceDeployment) -> float:
    """The share after the next step: everything, one more equal step, or a little first."""
    configuration, strategy = under_way.given, under_way.given.get("strategy")
    percent = 100.0
    if strategy == "LINEAR":
        step = (configuration.get("linearConfiguration") or {}).get("stepPercent", 10.0)
        percent = under_way.traffic_percent + step
    elif strategy == "CANARY" and not under_way.traffic_percent:
        percent = (configuration.get("canaryConfiguration") or {}).get("canaryPercent", 5.0)
    return float(min(percent, 100.0))


def _hook_of(under_way: ServiceDeployment) -> Wire | None:
    """The PAUSE hook at the current stage; hooks that call a function pass immediately."""
    for each in under_way.given.get("lifecycleHooks") or ():
        if each.get("targetType") == "PAUSE" and under_way.stage in (each.get("lifecycleStages") or ()):
            hook: Wire = each
            return hook
    return None


def _wait_at(under_way: ServiceDeployment, given: Wire) -> Progress:
    hook = under_way.hook
    if hook.get("stage") != under_way.stage:
        timeout = given.get("timeoutConfiguration") or {}
        under_way.hook = {
            "hookId": new_id(),
            "targetType": "PAUSE",
            "status": WAITING,
            "expiresAt": time.time() + 60 * timeout.get("timeoutInMinutes", _DEFAULT_TIMEOUT_MIN),
            "timeoutAction": timeout.get("action", "ROLLBACK"),
            "stage": under_way.stage,
        }
        return Progress(changed=True)
    if hook["status"] == WAITING and time.time() < hook["expiresAt"]:
        return Progress()
    if hook["status"] == WAITING:
        under_way.hook = hook | {"status": "TIMED_OUT"}
    goes_on = hook["status"] == "SUCCEEDED" or (
        hook["status"] == WAITING and hook["timeoutAction"] == "CONTINUE"
    )
    if not goes_on:
        return Progress(changed=True, refused="Service deployment was rolled back at a lifecycle hook.")
    under_way.passed.append(under_way.stage)
    return Progress(changed=True)


def _wait_s(under_way: ServiceDeployment) -> float:
    configuration = under_way.given
    minutes = 0.0
    if under_way.stage == "BAKE_TIME":
        minutes = configuration.get("bakeTimeInMinutes") or 0
    elif under_way.stage == _SHIFT and under_way.traffic_percent < 100:
        linear, canary = configuration.get("linearConfiguration"), configuration.get("canaryConfiguration")
        minutes = (
            (linear or {}).get("stepBakeTimeInMinutes", 6)
            if configuration["strategy"] == "LINEAR"
            else ((canary or {}).get("canaryBakeTimeInMinutes", 10))
        )
    return min(minutes * _MINUTE_S, _LONGEST_S)
