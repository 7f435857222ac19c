"""Task definitions registered by Layer0, converted for ECS."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.for_ecs import for_fargate, pinned, with_log_group
from ecr_widgets.model.services import Dialect

ROLE = "arn:aws:iam::111222333444:role/pull"


def document(**more: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "app:1", "memory": 64} | more
    return {"containerDefinitions": [container, {"name": "db", "image": "db", "memory": 64}]}


def test_what_fargate_takes_is_what_comes_out() -> None:
    """The result is valid on Fargate; lost ports, links, host names and constraints are reported, and the rest is kept."""
    given = document(
        portMappings=[{"containerPort": 80, "hostPort": 8080}, {"containerPort": 9, "hostPort": 0}],
        links=["db:database"],
        extraHosts=[{"hostname": "old", "ipAddress": "10.0.0.1"}],
        hostname="me",
        command=["serve"],
    ) | {"placementConstraints": [{"type": "memberOf", "expression": "x"}], "networkMode": "bridge"}
    made = for_fargate(given, execution_role=ROLE)
    Dockerrun.parse(json.dumps(made.document).encode(), Dialect.ECS)
    assert made.document["containerDefinitions"][0] == {
        "name": "web",
        "image": "app:1",
        "memory": 64,
        "portMappings": [{"containerPort": 80}, {"containerPort": 9}],
        "command": ["serve"],
    }
    said = "\n".join((*made.changed, *made.questions))
    for word in ("bridge becomes awsvpc", "8080", "placementConstraints", "localhost instead of database"):
        assert word in said
    for word in ("/etc/hosts has no old", "hostname", "256 CPU units and 512 MiB"):
        assert word in said
    assert given["containerDefinitions"][0]["links"] == ["db:database"]


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ({"memory": 600, "cpu": 0}, ("256", "1024")),
        ({"memory": 64, "cpu": 512}, ("512", "1024")),
        ({"memory": 40_000}, ("8192", "40960")),
        ({"memory": 900_000}, ("16384", "122880")),
    ],
)
def test_the_least_size_that_fits_is_taken(sizes: dict[str, int], size: tuple[str, str]) -> None:
    """The smallest size that fits all containers is chosen, or Fargate's largest."""
    made = for_fargate(document(**sizes), execution_role=ROLE).document
    assert (made["cpu"], made["memory"]) == size


def test_what_fargate_has_not_is_a_question() -> None:
    """What Fargate lacks becomes a question: an instance's folder is removed, other settings stay."""
    made = for_fargate(
        document(privileged=True) | {"volumes": [{"name": "data", "host": {"sourcePath": "/data"}}]},
        execution_role="",
    )
    assert made.document["volumes"] == [{"name": "data", "host": {}}]
    asked = "\n".join(made.questions)
    assert "volume data: /data of the instance" in asked
    assert "execution_role" in asked
    assert "privileged" in asked


def test_images_are_pinned_to_what_runs() -> None:
    """Images are pinned to the running digests, except those already pinned; an image without a running copy is unchanged."""
    digest = "sha256:" + "1" * 64
    made, changed = pinned(document(image=f"app@{digest}"), {"web": "sha256:" + "2" * 64, "db": digest})
    assert [each["image"] for each in made["containerDefinitions"]] == [f"app@{digest}", f"db@{digest}"]
    assert len(changed) == 1
    assert pinned(document(), {})[1] == ()


def test_logs_of_a_group_of_peoples_own_stay_there() -> None:
    """Only Layer0's log options are changed, not those of a user's own log group."""
    own = {"logDriver": "awslogs", "options": {"awslogs-group": "mine", "awslogs-stream-prefix": "x"}}
    layer0s = {"logDriver": "awslogs", "options": {"awslogs-group": "l0-p", "awslogs-stream-prefix": "l0"}}
    assert with_log_group(document(logConfiguration=own), "/ecs/web", "web").changed == ()
    stays = with_log_group(document(logConfiguration=layer0s), "", "web")
    options = stays.document["containerDefinitions"][0]["logConfiguration"]["options"]
    assert options == {"awslogs-group": "l0-p", "awslogs-stream-prefix": "web"}
