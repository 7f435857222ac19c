"""The document given to Layer0."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.dockerrun import Dockerrun
from ecr_widgets.model.image_reference import ImageReference
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
        (b'{"a": 1, "a": 2}', "/a", "stands twice"),
        (b"[" * 100000, "", "nested too deeply|larger than"),
        (b"[" * 60000, "", "nested too deeply"),
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
            "stands at /containerDefinitions/0 already",
        ),
        (
            dockerrun(CONTAINER | {"environment": [{"name": "A", "value": 1}]}),
            "/containerDefinitions/0/environment/0/value",
            "a number where text belongs",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: bytes, pointer: str, why: str) -> None:
    """Every refusal has a reason and a JSON pointer."""
    with pytest.raises(InvalidDockerrun, match=why) as caught:
        Dockerrun.parse(content)
    assert caught.value.pointer == pointer


def test_setting_the_image_changes_nothing_else() -> None:
    """Unknown members and the other containers stay."""
    other = CONTAINER | {"name": "other"}
    before = Dockerrun.parse(dockerrun(CONTAINER, other, AWSEBDockerrunVersion=2))
    after = before.with_image(ImageReference.parse("r.example/a:1"), container="timeout")
    assert json.loads(after.to_bytes()) == {
        "containerDefinitions": [CONTAINER | {"image": "r.example/a:1"}, other],
        "AWSEBDockerrunVersion": 2,
    }
    assert before.containers[0].image == "busybox"
    assert before.dropped_members() == ("AWSEBDockerrunVersion",)


def test_which_container_must_be_said_where_there_are_several() -> None:
    """The image is never set by guessing."""
    two = Dockerrun.parse(dockerrun(CONTAINER, CONTAINER | {"name": "other"}))
    with pytest.raises(InvalidDockerrun, match="several containers: timeout, other"):
        two.with_image(ImageReference.parse("a"))


def test_layer0s_rendering_is_equal_to_what_was_sent() -> None:
    """Key case, explicit nulls and Layer0's additions make no difference."""
    sent = Dockerrun.parse(dockerrun(CONTAINER))
    rendered = render("timeout", parse(base64.b64encode(dockerrun(CONTAINER)).decode(), "timeout"))
    assert b'"Image"' in rendered
    assert Dockerrun.parse(rendered).content_sha256() == sent.content_sha256()


@pytest.mark.parametrize(
    "change",
    [{"image": "other"}, {"memory": 11}, {"environment": []}, {"command": ["x"]}, {"cpu": 5}],
)
def test_a_real_difference_is_one(change: dict[str, Any]) -> None:
    """What changes the running container changes the content."""
    one, two = (Dockerrun.parse(dockerrun(CONTAINER | each)) for each in ({}, change))
    assert one.content_sha256() != two.content_sha256()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Only the declared error ever rises."""
    try:
        Dockerrun.parse(content)
    except InvalidDockerrun:
        pass
