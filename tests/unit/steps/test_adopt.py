"""Adopting a Layer0 service found on ECS, and the files for a new service beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import EntityNotFound, InputError, VerifyError
from ecr_widgets.kit import Kit
from ecr_widgets.model.layer0 import Environment
from ecr_widgets.model.layer0_load_balancer import HealthCheck, LoadBalancer, Port
from ecr_widgets.ports import ignore_progress
from ecr_widgets.steps.adopt import Adopt, AdoptOutcome
from ecr_widgets.steps.create_deploy import CreateDeploy
from ecr_widgets.steps.deploy_service import DeployService
from ecr_widgets.steps.scale_service import ScaleService
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import REGISTRY, digest_of
from tests.fakes.connections import FakeConnections, perform
from tests.fakes.ecs import ADDRESS
from tests.fakes.on_both import CLUSTER, LOGS, OnBoth

DIGEST = digest_of("web")
IMAGE = f"{REGISTRY}/app@{DIGEST}"
CONTAINER = {
    "name": "web",
    "image": IMAGE,
    "memory": 300,
    "portMappings": [{"containerPort": 80, "hostPort": 8080}],
    "environment": [{"name": "COLOUR", "value": "blue"}],
}


@pytest.fixture
def adopting(to: FakeConnections, outside: Outside, tmp_path: Path) -> Adopting:
    return Adopting(to, outside, tmp_path)


class Adopting:
    """Adoptions of a service `web`."""

    def __init__(
        self, to: FakeConnections, outside: Outside, folder: Path, container: dict[str, Any] = CONTAINER
    ) -> None:
        self.to, self.outside, self.folder = to, outside, folder
        self.both = OnBoth(to, "web", container)
        self.service_id, self.name, self.arn = self.both.service_id, self.both.ecs_name, self.both.arn

    def __call__(self, **given: Any) -> AdoptOutcome:
        step = Adopt("demo", "web", files=self.folder / "files", **given)
        return perform(step, self.outside)

    def beside(self, **given: Any) -> AdoptOutcome:
        return self(cluster="ecs:demo", answered=True, **given)

    def planned(self, **given: Any) -> AdoptOutcome:
        step = Adopt("demo", "web", files=self.folder / "files", **given)
        return step.plan(self.outside, step.look(self.outside, ignore_progress))

    def file(self, kind: str, name: str = "web") -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "files" / f"{name}.{kind}.json").read_text())
        return content


def test_without_a_cluster_it_is_found_and_stays(adopting: Adopting) -> None:
    """Without a cluster, the service is found on ECS with both names and a file of what runs; nothing on ECS changes."""
    before = list(adopting.to.layer0._world.changes)
    outcome = adopting()
    assert (outcome.same_environment, outcome.same_service) == (f"ecs:{CLUSTER}", adopting.name)
    assert (outcome.to_environment, outcome.to_service) == (outcome.same_environment, outcome.same_service)
    assert (outcome.deploy_id, outcome.same_deploy_id, outcome.to_deploy) == (
        "web.1",
        "l0-p-web:1",
        "l0-p-web",
    )
    assert (outcome.copies, outcome.running_digests) == (2, {"web": DIGEST})
    assert (outcome.questions, outcome.service_file, outcome.changed) == ((), "", True)
    assert adopting.file("task", adopting.name)["containerDefinitions"][0]["logConfiguration"] == LOGS
    assert adopting.to.layer0._world.changes == before
    assert not adopting().changed


def test_files_are_for_their_owner_alone(adopting: Adopting) -> None:
    """Only their owner can read the written files, because a task definition holds the values of variables."""
    outcome = adopting.beside()
    for path in (outcome.task_definition, outcome.service_file):
        assert Path(path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"desired_count": 3}, "desired count 3 and 2"),
        ({"running_count": 1}, "running count 1 and 2"),
        ({"deploy_id": "web.2"}, "deploy web.2 and l0-p-web:1"),
        ({"deployment_id": "ecs-svc/9"}, "deployments ecs-svc/9 and "),
    ],
)
def test_what_differs_is_no_same_service(adopting: Adopting, difference: dict[str, Any], words: str) -> None:
    """If Layer0 and ECS disagree about deploy, deployments or counts, the service is refused and no file is written."""
    layer0 = adopting.to.layer0
    layer0.create_deploy("web", json.dumps({"containerDefinitions": [CONTAINER]}).encode())
    service = layer0.services[adopting.service_id]
    of_deployment = {name: each for name, each in difference.items() if name.startswith("deploy")}
    deployments = (replace(service.deployments[0], **of_deployment),)
    of_service = {name: each for name, each in difference.items() if name not in of_deployment}
    layer0.services[adopting.service_id] = replace(service, deployments=deployments, **of_service)
    with pytest.raises(VerifyError, match=words):
        adopting()
    assert not (adopting.folder / "files").exists()


def test_another_image_is_no_same_service(adopting: Adopting) -> None:
    """If Layer0 and ECS disagree about the image, the service is refused, whatever the deploys are called."""
    other = {"containerDefinitions": [CONTAINER | {"image": f"{REGISTRY}/app@{digest_of('other')}"}]}
    ecs = adopting.to.ecs
    ecs.deploys = [replace(each, dockerrun=json.dumps(other).encode()) for each in ecs.deploys]
    with pytest.raises(VerifyError, match="images web"):
        adopting()


def test_what_is_not_in_this_account_is_not_found(adopting: Adopting) -> None:
    """If this account has no such service or cluster, the error says so and hints at AWS_PROFILE."""
    adopting.to.ecs.services.clear()
    with pytest.raises(EntityNotFound, match=f"service '{adopting.name}', which Layer0 calls 'web'"):
        adopting()
    adopting.to.ecs.clusters = ["demo", "l0-p-other0000000"]
    with pytest.raises(EntityNotFound, match="is Layer0's environment 'demo': found none") as error:
        adopting()
    assert "AWS_PROFILE" in (error.value.hint or "")


def test_a_service_beside_it_has_files_of_its_own(adopting: Adopting) -> None:
    """A new service gets its own files: the same containers, a family without Layer0's prefix, one copy, and its own logs."""
    outcome = adopting.beside(log_group="/ecs/web")
    assert (outcome.to_environment, outcome.to_service, outcome.to_deploy) == ("ecs:demo", "web", "web")
    assert (outcome.image, outcome.container, outcome.copies) == (IMAGE, "web", 2)
    document, settings = adopting.file("task"), adopting.file("service")
    (container,) = document["containerDefinitions"]
    assert (container["memory"], container["portMappings"]) == (300, CONTAINER["portMappings"])
    assert container["logConfiguration"]["options"] == {
        "awslogs-group": "/ecs/web",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "web",
    }
    assert (document["family"], settings["desiredCount"], settings["launchType"]) == ("web", 1, "EC2")
    assert any("logs go to /ecs/web instead of l0-p" in each for each in outcome.changes)


def test_open_questions_stop_it_before_anything_is_created(adopting: Adopting) -> None:
    """Open questions stop the adoption after the files are written; a leftover placeholder stops it even with `answered`."""
    given = {"cluster": "ecs:demo", "launch_type": "FARGATE"}
    with pytest.raises(InputError, match=r"subnets: .*security_groups: .*execution_role: "):
        adopting(**given)
    with pytest.raises(InputError, match="open questions"):
        adopting(**given, answered=True)
    network = adopting.file("service")["networkConfiguration"]["awsvpcConfiguration"]
    assert network["subnets"] == ["<SUBNET>"]
    for name in ("task", "service"):
        path = adopting.folder / "files" / f"web.{name}.json"
        path.write_text(path.read_text().replace("<", "").replace(">", ""))
    outcome = adopting(**given, answered=True)
    assert not outcome.changed
    assert sum("exists and is used as it is" in each for each in outcome.changes) == 2


def test_on_fargate_a_task_has_an_address_of_its_own(adopting: Adopting) -> None:
    """On Fargate the given answers are written to the files, no question is left, and a port change is reported."""
    outcome = adopting.beside(
        launch_type="FARGATE",
        subnets=["subnet-1"],
        security_groups=["sg-1"],
        execution_role="arn:aws:iam::111222333444:role/pull",
    )
    document, settings = adopting.file("task"), adopting.file("service")
    assert (document["networkMode"], document["cpu"], document["memory"]) == ("awsvpc", "256", "512")
    assert document["containerDefinitions"][0]["portMappings"] == [{"containerPort": 80}]
    assert settings["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-1"]
    assert outcome.questions == ()
    assert any("port 80 is reached as that, and no longer as 8080" in each for each in outcome.changes)


def balanced(adopting: Adopting) -> None:
    """Put the service behind a load balancer, in an environment with a link."""
    layer0 = adopting.to.layer0
    layer0.environments["db"] = Environment("db0000000000", "db")
    layer0.environments["demo"] = replace(layer0.environments["demo"], links=("db0000000000",))
    layer0.load_balancers["lb1"] = LoadBalancer(
        "lb1",
        "front",
        "demo24e9e412",
        "l0-p-lb1.elb.test",
        is_public=True,
        ports=(Port(443, 8080, "HTTPS", "mine", "arn:aws:acm:us-east-1:1:certificate/1"),),
        health_check=HealthCheck("HTTP:8080/health"),
        idle_timeout=90,
        cross_zone=True,
        service_id=adopting.service_id,
    )
    service = layer0.services[adopting.service_id]
    layer0.services[adopting.service_id] = replace(service, load_balancer_id="lb1")


def test_a_load_balancer_and_links_stay_with_the_service(adopting: Adopting) -> None:
    """A service that stays in place keeps its load balancer and links, and no question is asked."""
    balanced(adopting)
    outcome = adopting()
    assert "load balancer front at l0-p-lb1.elb.test" in outcome.kept
    assert "links to db" in outcome.kept
    assert outcome.questions == ()


def test_a_load_balancer_and_links_need_answers_beside(adopting: Adopting) -> None:
    """For a new service, listeners and health checks are described, and target groups, DNS and links are asked for."""
    balanced(adopting)
    outcome = adopting.planned(cluster="ecs:demo")
    changes = "\n".join(outcome.changes)
    assert "port 443 HTTPS: a listener of a public application load balancer" in changes
    assert "with arn:aws:acm:us-east-1:1:certificate/1" in changes
    assert "health check HTTP:8080/health: HTTP /health must answer 200" in changes
    asked = [each.partition(":")[0] for each in outcome.questions]
    assert asked == ["link to environment 'db'", "DNS", "target_groups"]
    adopting.beside(target_groups=["arn:group"])
    assert adopting.file("service")["loadBalancers"] == [
        {"targetGroupArn": "arn:group", "containerName": "web", "containerPort": 80}
    ]


def test_an_image_by_tag_is_pinned_to_what_runs(
    to: FakeConnections, outside: Outside, tmp_path: Path
) -> None:
    """If the old service runs an image by tag, the new one gets the digest that runs."""
    to.ecs.digests["web"] = DIGEST
    adopting = Adopting(to, outside, tmp_path, CONTAINER | {"image": f"{REGISTRY}/app:1"})
    assert adopting.beside().image == IMAGE


def test_a_service_that_went_on_is_not_brought_back(adopting: Adopting) -> None:
    """A new service that was deployed again since is not reset to the files of the adoption."""
    adopted = adopting.beside()
    move(adopting, adopted)
    adopting.beside()
    other = {"containerDefinitions": [CONTAINER | {"memory": 512}]}
    adopting.to.ecs.create_deploy("web", json.dumps(other).encode())
    adopting.to.ecs.update_service(ADDRESS.service("demo", "web"), "web:2")
    with pytest.raises(InputError, match=r"runs web:2, which is not what .* holds: .*memory"):
        adopting.beside()


def test_a_service_that_was_switched_off_gets_as_many_copies_as_the_new_one_has(adopting: Adopting) -> None:
    """If the adoption is run again after the move, the new service keeps its copies although the old one has none."""
    move(adopting, adopting.beside())
    adopting.both.switch_off()
    assert adopting.beside().copies == 2


def move(adopting: Adopting, adopted: AdoptOutcome) -> None:
    """Deploy as the runbook does."""
    outside = adopting.outside
    stored = perform(
        CreateDeploy(
            adopted.to_deploy,
            adopted.task_definition,
            image=adopted.image,
            container=adopted.container,
            environment=adopted.to_environment,
        ),
        outside,
    )
    perform(
        DeployService(adopted.to_environment, adopted.to_service, stored, service_file=adopted.service_file),
        outside,
    )
    perform(ScaleService(adopted.to_environment, adopted.to_service, adopted.copies), outside)


def test_a_plan_writes_no_file_and_shows_what_the_run_would_do(adopting: Adopting, kit: Kit) -> None:
    """A plan writes no file, and later steps of the plan read what would be in the files."""
    outcome = adopting.planned(cluster="ecs:demo")
    assert outcome.changed
    assert not (adopting.folder / "files").exists()
    step = CreateDeploy(
        "web", outcome.task_definition, image=outcome.image, container="web", environment="ecs:demo"
    )
    planned = step.plan(adopting.outside, step.look(adopting.outside, ignore_progress))
    assert planned.changed
    assert kit.layer0.adopt.__doc__


@pytest.mark.parametrize("given", [{"cluster": "demo"}, {"launch_type": "EXTERNAL"}])
def test_what_makes_no_sense_is_refused(adopting: Adopting, given: dict[str, str]) -> None:
    """A cluster without `ecs:` and an unknown launch type are refused."""
    with pytest.raises(InputError, match=r"refused|names no cluster"):
        adopting(**given)
