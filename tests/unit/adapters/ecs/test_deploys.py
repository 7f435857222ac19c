"""Task definitions as deploys."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ecr_widgets.adapters.ecs.client import BotoEcs
from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.services import Deploy
from tests.unit.adapters.ecs.samples import definition, definition_arn
from tests.unit.adapters.ecs.scripted_aws import Refused, ScriptedAws


def test_revisions_are_listed_oldest_first(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Revisions are listed oldest first from all pages, of exactly that family, without their documents."""
    aws.answer(
        "ListTaskDefinitions",
        {"taskDefinitionArns": [definition_arn("web:10"), definition_arn("webhook:9")], "nextToken": "more"},
        {"taskDefinitionArns": [definition_arn("web:2")]},
    )
    assert ecs.list_deploys("web") == (Deploy("web:2", "web", 2), Deploy("web:10", "web", 10))
    assert aws.asked_for("ListTaskDefinitions")[0] == {
        "familyPrefix": "web",
        "status": "ACTIVE",
        "sort": "DESC",
        "maxResults": 100,
    }


def test_of_a_family_with_thousands_the_newest_thousand_are_listed(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """Of a family with 5000 revisions the newest 1000 are listed, with ten calls."""
    pages = [
        {
            "taskDefinitionArns": [definition_arn(f"web:{5000 - 100 * page - n}") for n in range(100)],
            "nextToken": f"page {page}",
        }
        for page in range(50)
    ]
    aws.answer("ListTaskDefinitions", *pages)
    listed = ecs.list_deploys("web")
    assert (len(listed), listed[0].version, listed[-1].version) == (1000, 4001, 5000)
    assert len(aws.asked) == 10


def test_of_all_families_the_newest_of_each_are_listed(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """For all families, one call per family lists its newest revisions, up to the target's limit."""
    limits = ecs.deploy_limits()
    assert limits is not None
    aws.answer(
        "ListTaskDefinitionFamilies", {"families": ["web"], "nextToken": "more"}, {"families": ["app"]}
    )
    page = [
        definition_arn(f"{family}:{number}")
        for number in range(30, 30 - limits.of_each, -1)
        for family in ("web", "app")
    ]
    aws.answer("ListTaskDefinitions", {"taskDefinitionArns": page, "nextToken": "more"})
    listed = Counter(each.name for each in ecs.list_all_deploys())
    assert listed == {"app": limits.of_each, "web": limits.of_each}
    asked = aws.asked_for("ListTaskDefinitions")
    assert sorted((each["familyPrefix"], each["maxResults"]) for each in asked) == [("app", 20), ("web", 20)]


def test_a_short_page_is_not_the_end(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A short or empty page with a token is followed by the next page."""
    aws.answer("ListTaskDefinitionFamilies", {"families": ["web"]})
    aws.answer(
        "ListTaskDefinitions",
        {"taskDefinitionArns": [definition_arn("web:3")], "nextToken": "a"},
        {"taskDefinitionArns": [], "nextToken": "b"},
        {"taskDefinitionArns": [definition_arn("web:1")]},
    )
    assert [each.version for each in ecs.list_all_deploys()] == [1, 3]


def test_the_latest_is_asked_for_alone(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """The latest revision is one call for one entry; it is None if the family has no active one."""
    aws.answer("ListTaskDefinitions", {"taskDefinitionArns": [definition_arn("web:3")], "nextToken": "t"}, {})
    assert ecs.find_latest_deploy("web") == Deploy("web:3", "web", 3)
    assert ecs.find_latest_deploy("web") is None
    assert [each["maxResults"] for each in aws.asked_for("ListTaskDefinitions")] == [1, 1]


@pytest.mark.parametrize(
    ("status", "is_active"), [("ACTIVE", True), ("INACTIVE", False), ("DELETE_IN_PROGRESS", False)]
)
def test_a_deregistered_deploy_is_read_and_says_so(
    aws: ScriptedAws, ecs: BotoEcs, status: str, *, is_active: bool
) -> None:
    """A deregistered deploy is read as inactive, with the document needed to register it again."""
    aws.answer("DescribeTaskDefinition", definition("web:2", status=status))
    found = ecs.read_deploy("web:2")
    assert (found.deploy_id, found.name, found.version, found.is_active) == ("web:2", "web", 2, is_active)
    assert json.loads(found.dockerrun or b"")["containerDefinitions"][0]["name"] == "web"
    assert aws.asked_for("DescribeTaskDefinition") == [{"taskDefinition": "web:2", "include": ["TAGS"]}]


def test_an_unknown_deploy_is_not_found(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """An unknown deploy is reported as not found, although ECS answers with a general error."""
    aws.answer("DescribeTaskDefinition", Refused("ClientException", "Unable to describe task definition."))
    with pytest.raises(EntityNotFound, match="FAMILY:REVISION"):
        ecs.read_deploy("web:99")


@pytest.mark.parametrize("deploy_id", ["web", "web.2", "web:", "web:02", "web:x", ""])
def test_what_names_no_revision_is_not_found(aws: ScriptedAws, ecs: BotoEcs, deploy_id: str) -> None:
    """An id without an exact revision is not found, since a family alone would mean its most recent revision."""
    with pytest.raises(EntityNotFound, match="its id is FAMILY:REVISION"):
        ecs.read_deploy(deploy_id)
    assert aws.asked == []


def test_a_document_is_registered_under_its_deploys_name(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A document is registered under the deploy's name, whatever family it contains."""
    aws.answer("RegisterTaskDefinition", definition("web:3"))
    made = ecs.create_deploy("web", b'{"family": "other", "containerDefinitions": []}')
    assert (made.deploy_id, made.version) == ("web:3", 3)
    assert aws.asked_for("RegisterTaskDefinition")[0]["family"] == "web"


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_what_is_no_json_object_is_not_registered(aws: ScriptedAws, ecs: BotoEcs, content: bytes) -> None:
    """Anything but a JSON object is refused before it is sent."""
    with pytest.raises(InputError, match="task definition is not"):
        ecs.create_deploy("web", content)
    assert aws.asked == []


def test_a_deploy_is_deregistered(aws: ScriptedAws, ecs: BotoEcs) -> None:
    """A deploy is deregistered by its revision."""
    aws.answer("DescribeTaskDefinition", definition("web:2"))
    aws.answer("DeregisterTaskDefinition", definition("web:2", status="INACTIVE"))
    ecs.delete_deploy("web:2")
    assert aws.asked_for("DeregisterTaskDefinition") == [{"taskDefinition": "web:2"}]
