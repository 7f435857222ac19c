"""Deployments that go by stages, and the hooks that they wait at."""

from __future__ import annotations

from typing import Any

import pytest

from ecr_widgets.sandbox.ecs.entities import Service, ServiceDeployment
from ecr_widgets.sandbox.ecs.stages import STAGES, advance, weights
from ecr_widgets.sandbox.workloads.records import Deployment
from tests.sandbox.ecs.served import Refused, Served
from tests.sandbox.ecs.test_failed_deployments import deployed, latest
from tests.sandbox.ecs.test_services import created

BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}


def pause(stage: str, **more: Any) -> dict[str, Any]:
    hook = {"targetType": "PAUSE", "lifecycleStages": [stage]} | more
    return {"deploymentConfiguration": BLUE_GREEN | {"lifecycleHooks": [hook]}}


def waiting(ecs: Served) -> dict[str, Any]:
    """The newest service deployment, once it waits at a hook."""
    shown: dict[str, Any] = ecs.until(
        lambda: (
            (each := latest(ecs)).get("lifecycleHookDetails", [{}])[0].get("status") == "AWAITING_ACTION"
            and each
        )
    )
    return shown


def answered(ecs: Served, shown: dict[str, Any], action: str) -> None:
    ecs.ask(
        "ContinueServiceDeployment",
        serviceDeploymentArn=shown["serviceDeploymentArn"],
        hookId=shown["lifecycleHookDetails"][0]["hookId"],
        action=action,
    )


def test_green_tasks_run_beside_the_blue_ones_until_the_end(ecs: Served) -> None:
    """Before SCALE_UP none is started, after it both run; then the old ones go and the deployment is successful."""
    created(ecs, **pause("PRE_SCALE_UP"))
    deployed(ecs, "green", **pause("PRE_SCALE_UP"))
    shown = waiting(ecs)
    assert (shown["lifecycleStage"], ecs.service()["runningCount"]) == ("PRE_SCALE_UP", 1)
    answered(ecs, shown, "CONTINUE")
    done = ecs.completed()
    assert (done["taskDefinition"].rpartition("/")[2], latest(ecs)["status"]) == ("web:2", "SUCCESSFUL")


def test_a_deployment_waits_at_a_pause_until_somebody_lets_it_continue(ecs: Served) -> None:
    """Both tasks run meanwhile; another hook's id is refused."""
    created(ecs)
    deployed(ecs, "green", **pause("POST_SCALE_UP"))
    shown = waiting(ecs)
    ecs.until(lambda: ecs.service()["runningCount"] == 2)
    assert shown["lifecycleStage"] == "POST_SCALE_UP"
    with pytest.raises(Refused, match="The lifecycle hook is not waiting"):
        ecs.ask(
            "ContinueServiceDeployment", serviceDeploymentArn=shown["serviceDeploymentArn"], hookId="other"
        )
    answered(ecs, shown, "CONTINUE")
    ecs.completed()
    assert latest(ecs)["lifecycleHookDetails"][0]["status"] == "SUCCEEDED"


def test_a_hook_that_is_answered_with_rollback_goes_back(ecs: Served) -> None:
    """The old task definition runs again, as a deployment of its own."""
    before = created(ecs)["taskDefinition"]
    deployed(ecs, "green", **pause("POST_PRODUCTION_TRAFFIC_SHIFT"))
    answered(ecs, waiting(ecs), "ROLLBACK")
    assert ecs.completed()["taskDefinition"] == before
    assert latest(ecs)["status"] == "ROLLBACK_SUCCESSFUL"


@pytest.mark.parametrize(("action", "goes_back"), [("ROLLBACK", True), ("CONTINUE", False)])
def test_a_hook_that_nobody_answers_does_what_it_is_to_do(action: str, *, goes_back: bool) -> None:
    """Once its time is over: it goes back, unless it is to continue."""
    hook = {"targetType": "PAUSE", "lifecycleStages": ["BAKE_TIME"]}
    hook |= {"timeoutConfiguration": {"timeoutInMinutes": 1, "action": action}}
    under_way = ServiceDeployment(key="k", service_id="s", target="r", given={"lifecycleHooks": [hook]})
    service, deployment = Service(service_id="s", cluster="demo", name="web"), Deployment("web:1")
    under_way.stage = "BAKE_TIME"
    assert advance(under_way, service, deployment, 1).changed
    assert not advance(under_way, service, deployment, 1).changed
    under_way.hook["expiresAt"] = 0
    assert bool(advance(under_way, service, deployment, 1).refused) is goes_back
    assert under_way.hook["status"] == "TIMED_OUT"
    assert under_way.passed == ([] if goes_back else ["BAKE_TIME"])


@pytest.mark.parametrize(
    ("configuration", "shares"),
    [
        ({"strategy": "BLUE_GREEN"}, [100]),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 40}}, [40, 80, 100]),
        ({"strategy": "LINEAR"}, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 2.5}}, [2.5, 100]),
        ({"strategy": "CANARY"}, [5, 100]),
    ],
)
def test_traffic_moves_in_the_steps_of_the_strategy(
    configuration: dict[str, Any], shares: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once, in equal steps, or a little first; what the one gets the other has lost. Test traffic moves before."""
    monkeypatch.setattr("ecr_widgets.sandbox.ecs.stages._LONGEST_S", 0)
    under_way = ServiceDeployment(key="k", service_id="s", target="r", given=configuration)
    service, deployment = Service(service_id="s", cluster="demo", name="web"), Deployment("web:1")
    under_way.stage = STAGES[0]
    seen: list[tuple[str, float, float]] = []
    while under_way.stage != STAGES[-1]:
        target, source = (weights(under_way, is_target=of) for of in (True, False))
        production, test = "requestedProductionTrafficWeight", "requestedTestTrafficWeight"
        assert target[production] + source[production] == target[test] + source[test] == 100
        seen.append((under_way.stage, target[test], target[production]))
        advance(under_way, service, deployment, 1)
    assert [share for stage, _, share in seen if stage == "PRODUCTION_TRAFFIC_SHIFT"] == shares
    assert [(test, share) for stage, test, share in seen if stage == "POST_SCALE_UP"] == [(0, 0)]
    assert [(test, share) for stage, test, share in seen if stage == "TEST_TRAFFIC_SHIFT"] == [(100, 0)]
    assert {share for stage, _, share in seen if stage == "BAKE_TIME"} == {100}


def test_what_is_gone_back_to_gets_its_traffic_back(ecs: Served) -> None:
    """A rolling deployment has no weights at all."""
    created(ecs)
    assert "requestedProductionTrafficWeight" not in latest(ecs)["targetServiceRevision"]
    deployed(ecs, "green", **pause("POST_PRODUCTION_TRAFFIC_SHIFT"))
    shown = waiting(ecs)
    assert shown["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100
    assert shown["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 0
    answered(ecs, shown, "ROLLBACK")
    ecs.completed()
    assert latest(ecs)["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 100
