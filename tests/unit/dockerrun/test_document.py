"""The document that is sent to Layer0."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.kept_settings import kept_settings
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import Dialect
from ecr_widgets.sandbox.layer0.dockerrun import parse
from ecr_widgets.sandbox.layer0.render import render

CONTAINER = {
    "name": "timeout",
    "image": "busybox",
    "memory": 10,
    "environment": [{"name": "SLEEP_TIME", "value": "60"}],
}


def dockerrun(*containers: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"containerDefinitions": list(containers), **more}).encode()


@pytest.mark.parametrize(
    ("content", "pointer", "why"),
    [
        (b"\xef\xbb\xbf{}", "", "byte-order mark"),
        (b"\xff", "", "not UTF-8"),
        (b"{", "", "line 1, column 2"),
        (b"[]", "", "not a JSON object"),
        (b'{"a": NaN}', "/a", "NaN is not JSON"),
        (b'{"a": 1, "a": 2}', "/a", "appears twice"),
        (b"[" * 100000, "", "nested too deeply|larger than"),
        # Python 3.14 can read such depth, and reports that the list does not end.
        (b"[" * 60000, "", "nested too deeply|not JSON"),
        (b"[" * 30000 + b"]" * 30000, "", "nested too deeply|not an object"),
        (b"{}", "", "no containerDefinitions"),
        (dockerrun(), "/containerDefinitions", "not a list of containers"),
        (dockerrun({"name": "a", "image": "b"}), "/containerDefinitions/0", "without memory"),
        (dockerrun(CONTAINER | {"essential": False}), "/containerDefinitions", "no container is essential"),
        (dockerrun(CONTAINER | {"memory": 3}), "/containerDefinitions/0/memory", "less memory"),
        (dockerrun(CONTAINER | {"memory": True}), "/containerDefinitions/0/memory", "true or false where"),
        (
            dockerrun(CONTAINER | {"image": "Bad Image"}),
            "/containerDefinitions/0/image",
            "not a repository name",
        ),
        (dockerrun(CONTAINER | {"name": "a b"}), "/containerDefinitions/0/name", "not a container name"),
        (
            dockerrun(CONTAINER, CONTAINER),
            "/containerDefinitions/1/name",
            "is already used at /containerDefinitions/0",
        ),
        (
            dockerrun(CONTAINER | {"environment": [{"name": "A", "value": 1}]}),
            "/containerDefinitions/0/environment/0/value",
            "a number where text belongs",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: bytes, pointer: str, why: str) -> None:
    """An invalid Dockerrun is refused with a reason and a JSON pointer."""
    with pytest.raises(InvalidDockerrun, match=why) as caught:
        Dockerrun.parse(content)
    assert caught.value.pointer == pointer


def test_setting_the_image_changes_nothing_else() -> None:
    """Setting an image leaves the other containers, and members that Layer0 ignores, unchanged."""
    other = CONTAINER | {"name": "other"}
    before = Dockerrun.parse(dockerrun(CONTAINER, other, AWSEBDockerrunVersion=2))
    after = before.with_image(ImageReference.parse("r.example/a:1"), container="timeout")
    assert json.loads(after.to_bytes()) == {
        "containerDefinitions": [CONTAINER | {"image": "r.example/a:1"}, other],
        "AWSEBDockerrunVersion": 2,
    }
    assert before.containers[0].image == "busybox"
    assert before.warnings() == ()


def test_which_container_must_be_said_where_there_are_several() -> None:
    """Setting an image without a container's name is refused if there are several containers."""
    two = Dockerrun.parse(dockerrun(CONTAINER, CONTAINER | {"name": "other"}))
    with pytest.raises(InvalidDockerrun, match="several containers: timeout, other"):
        two.with_image(ImageReference.parse("a"))


def test_layer0s_rendering_is_equal_to_what_was_sent() -> None:
    """The content of Layer0's rendering equals what was sent, despite key case, nulls and additions."""
    sent = Dockerrun.parse(dockerrun(CONTAINER))
    rendered = render("timeout", parse(base64.b64encode(dockerrun(CONTAINER)).decode(), "timeout"))
    assert b'"Image"' in rendered
    assert Dockerrun.parse(rendered).content_sha256() == sent.content_sha256()


@pytest.mark.parametrize(
    "change",
    [{"image": "other"}, {"memory": 11}, {"environment": []}, {"command": ["x"]}, {"cpu": 5}],
)
def test_a_real_difference_is_one(change: dict[str, Any]) -> None:
    """A change of the running container changes the content's hash."""
    one, two = (Dockerrun.parse(dockerrun(CONTAINER | each)) for each in ({}, change))
    assert one.content_sha256() != two.content_sha256()


@given(st.binary(max_size=200), st.sampled_from(Dialect))
def test_any_bytes_are_read_or_refused(content: bytes, dialect: Dialect) -> None:
    """Any bytes are read or raise InvalidDockerrun."""
    try:
        Dockerrun.parse(content, dialect)
    except InvalidDockerrun:
        pass


@pytest.mark.parametrize(
    ("member", "pointer", "meant"),
    [
        ({"enviroment": []}, "/containerDefinitions/0/enviroment", "environment"),
        ({"portMapping": []}, "/containerDefinitions/0/portMapping", "portMappings"),
        ({"portMappings": [{"containerport": 1, "host": 2}]}, "/containerDefinitions/0/portMappings/0/host", "hostPort"),
        ({"environment": [{"name": "A", "value": "1", "val": "2"}]}, "/containerDefinitions/0/environment/0/val", "value"),
        ({"logConfiguration": {"logDriver": "awslogs", "opts": {}}}, "/containerDefinitions/0/logConfiguration/opts", "options"),
        ({"healthCheck": {"command": ["CMD", "a"], "retry": 1}}, "/containerDefinitions/0/healthCheck/retry", "retries"),
        ({"linuxParameters": {"capabilities": {"adds": []}}}, "/containerDefinitions/0/linuxParameters/capabilities/adds", "add"),
    ],
)  # fmt: skip
def test_a_member_that_nobody_reads_is_refused(member: dict[str, Any], pointer: str, meant: str) -> None:
    """An unknown member is refused with its pointer and the nearest known name."""
    with pytest.raises(InvalidDockerrun, match=f"did you mean {meant}\\?") as caught:
        Dockerrun.parse(dockerrun(CONTAINER | member))
    assert caught.value.pointer == pointer


def test_a_member_that_only_layer0_lacks_is_warned_about_and_no_setting() -> None:
    """A member that only ECS reads causes a warning and is not part of the content for Layer0."""
    extra = {"restartPolicy": {"enabled": True}, "_note": "ours"}
    document = Dockerrun.parse(dockerrun(CONTAINER | extra, executionRoleArn="arn:x", tags=[]))
    assert [each.split()[4] for each in document.warnings()] == [
        "/containerDefinitions/0/restartPolicy",
        "/executionRoleArn",
        "/tags",
    ]
    plain = Dockerrun.parse(dockerrun(CONTAINER))
    assert document.content_sha256() == plain.content_sha256()
    assert kept_settings(document) == kept_settings(plain)


@pytest.mark.parametrize(
    ("container", "pointer", "why"),
    [
        ({"links": ["db"]}, "/links/0", "no container 'db'"),
        ({"links": ["web:web"]}, "/links/0", "names itself"),
        ({"volumesFrom": [{"sourceContainer": "db"}]}, "/volumesFrom/0/sourceContainer", "no container 'db'"),
        ({"dependsOn": [{"containerName": "db", "condition": "START"}]}, "/dependsOn/0/containerName", "no container"),
        ({"dependsOn": [{"containerName": "timeout"}]}, "/dependsOn/0", "no condition"),
        ({"dependsOn": [{"containerName": "timeout", "condition": "UP"}]}, "/dependsOn/0/condition", "not one of the values"),
        ({"dependsOn": [{"containerName": "timeout", "condition": "SUCCESS"}]}, "/dependsOn/0", "is essential"),
        ({"dependsOn": [{"containerName": "timeout", "condition": "HEALTHY"}]}, "/dependsOn/0", "no health check"),
        ({"dockerLabels": {"a": 1}}, "/dockerLabels/a", "a number where text belongs"),
        ({"command": "sleep"}, "/command", "text where a list belongs"),
        ({"command": [1]}, "/command/0", "a number where text belongs"),
        ({"extraHosts": [{"hostname": "a", "ipAddress": 1}]}, "/extraHosts/0/ipAddress", "a number where text"),
        ({"ulimits": [{"name": "nofile", "softLimit": "9", "hardLimit": 9}]}, "/ulimits/0/softLimit", "text where a whole"),
        ({"ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 9}]}, "/ulimits/0/softLimit", "above the hard limit"),
        ({"healthCheck": {"command": ["curl x"]}}, "/healthCheck/command", "begins with CMD"),
        ({"healthCheck": {"command": ["CMD", "x"], "interval": 1}}, "/healthCheck/interval", "does not accept 1"),
        ({"secrets": [{"name": "A", "valueFrom": "arn:x"}]}, "/secrets", "no execution role"),
        ({"logConfiguration": {"options": {}}}, "/logConfiguration", "no logDriver"),
        ({"portMappings": [{"hostPort": 80}]}, "/portMappings/0", "no containerPort"),
    ],
)  # fmt: skip
def test_what_ecs_would_refuse_is_found_here(container: dict[str, Any], pointer: str, why: str) -> None:
    """References to missing containers, wrong types and values that ECS refuses are found when the file is read."""
    web = {"name": "web", "image": "busybox", "memory": 10} | container
    with pytest.raises(InvalidDockerrun, match=why) as caught:
        Dockerrun.parse(dockerrun(CONTAINER, web))
    assert caught.value.pointer == f"/containerDefinitions/1{pointer}"


def test_containers_that_wait_for_each_other_are_refused() -> None:
    """Containers that depend on each other in a circle are refused."""
    one, two = (
        CONTAINER | {"name": name, "dependsOn": [{"containerName": other, "condition": "START"}]}
        for name, other in (("a", "b"), ("b", "a"))
    )
    with pytest.raises(InvalidDockerrun, match="wait for each other in a circle: a, b"):
        Dockerrun.parse(dockerrun(one, two))


@pytest.mark.parametrize("mode", ["awsvpc", "nat"])
def test_a_network_mode_that_layer0_cannot_start_is_refused(mode: str) -> None:
    """A network mode that Layer0 cannot start, such as awsvpc, is refused."""
    with pytest.raises(InvalidDockerrun, match=f"'{mode}'") as caught:
        Dockerrun.parse(dockerrun(CONTAINER, networkMode=mode))
    assert caught.value.pointer == "/networkMode"


@pytest.mark.parametrize("image", ["<IMAGE1_NAME>", "{{REPO}}:{{TAG}}", "r.example/app:${VERSION}", "", None])
def test_a_template_may_have_any_image_where_one_is_set(image: str | None) -> None:
    """A template's image may be a placeholder if it will be set; other containers' images must be valid."""
    template = Dockerrun.template(dockerrun(CONTAINER | {"image": image}))
    assert template.with_image(ImageReference.parse("a:1")).containers[0].image == "a:1"
    with pytest.raises(InvalidDockerrun):
        Dockerrun.parse(dockerrun(CONTAINER | {"image": image}))
    two = Dockerrun.template(dockerrun(CONTAINER, CONTAINER | {"name": "other", "image": image}))
    with pytest.raises(InvalidDockerrun) as caught:
        two.with_image(ImageReference.parse("a:1"), container="timeout")
    assert caught.value.pointer == "/containerDefinitions/1/image"


def test_a_placeholder_that_nobody_filled_in_is_warned_about() -> None:
    """An unfilled placeholder causes a warning without its value; a shell variable in a command does not."""
    values = [{"name": "PORT", "value": "${port}"}, {"name": "HOST", "value": "db.example"}]
    told = Dockerrun.parse(
        dockerrun(CONTAINER | {"environment": values, "command": ["sh", "-c", "echo ${HOME}"]})
    ).warnings()
    assert told == ("/containerDefinitions/0/environment/0/value still holds a placeholder",)
