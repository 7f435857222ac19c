"""The repository panel: list, create, change, preview and delete."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ecr_widgets.errors import RepositoryNotFound
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.registry import ImagePage
from ecr_widgets.panels import repositories
from ecr_widgets.panels.notebook_kit import NotebookKit
from tests.fakes import KMS_KEY, FakeEcr, World
from tests.fakes.connections import FakeConnections
from tests.unit.panels.desk import Desk


@pytest.fixture
def open_desk(desk: Desk, kit: NotebookKit) -> Desk:
    kit.create_repository("team/app")
    kit.create_repository("team/db")
    kit.push_image(kit.build_image(".", name="app"), repository="team/app", tag="1")
    desk.open(kit.repositories())
    return desk


def test_what_is_in_each_repository_is_filled_in(open_desk: Desk) -> None:
    """Each repository is listed with its URI, number of images, size and newest push."""
    assert open_desk.column("URI") == [f"registry.test:5000/team/{name}" for name in ("app", "db")]
    assert open_desk.column("images") == ["1", "0"]
    assert open_desk.column("size") == ["1.0 kB", "0 B"]
    assert "just now" in open_desk.column("newest push")[0]


def test_a_picture_shows_what_each_repository_takes_up(open_desk: Desk) -> None:
    """The picture plots each repository's share as an SVG image, with the same in words."""
    (plot,) = open_desk.picture["plots"]
    assert plot["src"].startswith("data:image/svg+xml,")
    assert "repository: team/app 1.0 kB 100%; team/db 0 B 0%; all 2: 1.0 kB; compressed" in plot["alt"]


def test_all_rows_can_be_leafed_through(desk: Desk, kit: NotebookKit) -> None:
    """The saved picture shows some rows; the others are read when they are paged to, and a filter starts at the first page."""
    names = [f"team/{number:03}" for number in range(150)]
    for name in names:
        kit.create_repository(name)
    desk.open(kit.repositories())
    assert desk.picture["left_out"] > 0
    assert [row[0] for row in desk.rows] == names
    desk.send({"do": "see", "words": "", "rows": names[138:150]})
    desk.settle()
    images = desk.state["columns"].index("images")
    assert {row[images] for row in desk.rows[138:]} == {"0"}
    desk.type("Filter", "team/00")
    desk.settle()
    assert desk.column("repository") == names[:10]


def test_exceptions_to_the_rule_for_tags_are_shown_and_dropped_only_when_confirmed(
    desk: Desk, kit: NotebookKit, world: World
) -> None:
    """Removing exceptions to tag immutability needs a confirmation; adding them does not."""
    kit.create_repository("app", tags_immutable=True, tag_exceptions="dev-*")
    desk.open(kit.repositories())
    assert desk.column("tags") == ["immutable but dev-*"]
    desk.choose("app")
    desk.type("Tags", "can move")
    desk.press("Change settings")
    assert desk.part("Planned: change settings of app") == [
        ["tags are 'immutable but dev-*' now; dev-* would be dropped"]
    ]
    assert world.repositories["app"].tags_immutable
    desk.press("Confirm")
    assert desk.column("tags") == ["can move"]
    desk.type("Tags", "can move")
    desk.type("All but", "v* [x]")
    assert not desk.can("Change settings")
    desk.type("All but", "v*")
    desk.press("Change settings")
    assert desk.column("tags") == ["can move but v*"]


def test_a_uri_is_there_to_copy(open_desk: Desk) -> None:
    """Each repository's URI is in its row."""
    assert dict(zip(open_desk.column("repository"), open_desk.column("URI"), strict=True)) == {
        f"team/{name}": f"registry.test:5000/team/{name}" for name in ("app", "db")
    }


def test_a_filter_asks_nobody(open_desk: Desk, kit: NotebookKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter makes no calls."""
    for name in ("repositories", "images"):
        monkeypatch.setattr(kit.look, name, lambda *_: pytest.fail("asked again"))
    open_desk.type("Filter", "DB")
    assert [row[0] for row in open_desk.picture["rows"]] == ["team/db"]
    assert "1 of 2 for 'DB'" in open_desk.picture["note"]


def test_what_is_in_a_repository_is_read_where_it_is_shown_and_was_not_read(
    monkeypatch: pytest.MonkeyPatch, desk: Desk, kit: NotebookKit
) -> None:
    """A filter reads only matching repositories not read yet, and an action reads only the one it changed."""
    monkeypatch.setattr(repositories, "MOST_ROWS", 2)
    for name in ("aa", "bb", "cc"):
        kit.create_repository(name)
    desk.open(kit.repositories())
    listed: list[str] = []
    plain = FakeEcr.list_images

    def counted(self: FakeEcr, repository: str) -> Iterator[ImagePage]:
        listed.append(repository)
        return plain(self, repository)

    monkeypatch.setattr(FakeEcr, "list_images", counted)
    desk.type("Filter", "cc")
    desk.settle()
    assert desk.column("images") == ["0"]
    desk.type("Filter", "")
    desk.type("Name", "dd")
    desk.press("Create")
    assert listed == ["cc", "dd"]


def test_a_name_is_checked_while_it_is_typed(open_desk: Desk) -> None:
    """Create is disabled with a reason for an invalid or existing name, and a created name is cleared from the field."""
    for name, said in (
        ("", ""),
        ("Team/app", "not a repository name"),
        ("team/db", "a repository of that name already exists"),
    ):
        open_desk.type("Name", name)
        assert not open_desk.can("Create")
        assert said in open_desk.why_not("Create")
    open_desk.type("Name", "team/new")
    open_desk.press("Create")
    assert "team/new" in [row[0] for row in open_desk.picture["rows"]]
    assert "Name" not in open_desk.typed
    (record,) = open_desk.records
    assert (record["step"], record["state"], record["changed"]) == ("create_repository", "succeeded", True)


def test_an_encryption_is_chosen_for_good(open_desk: Desk, world: World) -> None:
    """The default encryption is AES256; a KMS key is only asked for with KMS, and is checked while typing."""
    open_desk.type("Name", "team/plain")
    assert open_desk.field("KMS key")["when"] == ["encryption", "KMS"]
    open_desk.press("Create")
    open_desk.type("Name", "team/safe")
    open_desk.type("Encryption", "KMS")
    open_desk.type("KMS key", "my-key")
    assert not open_desk.can("Create")
    assert "'my-key' is not a KMS key" in open_desk.why_not("Create")
    open_desk.type("KMS key", " alias/team ")
    open_desk.press("Create")
    open_desk.type("Name", "team/again")
    open_desk.type("KMS key", "my-key")
    open_desk.type("Encryption", "AES256")
    open_desk.press("Create")
    made = [world.repositories[f"team/{name}"] for name in ("plain", "safe", "again")]
    assert [(each.encryption, each.kms_key) for each in made] == [
        ("AES256", None), ("KMS", KMS_KEY), ("AES256", None),
    ]  # fmt: skip
    assert {"AES256", "KMS"} == set(open_desk.column("encryption"))
    asked = [(each["inputs"]["encryption"], each["inputs"].get("kms_key")) for each in open_desk.records]
    assert sorted(asked, key=str) == [("AES256", None), ("AES256", None), ("KMS", "alias/team")]


def test_another_encryption_that_somebody_chose_meanwhile_is_said(open_desk: Desk, world: World) -> None:
    """If the repository exists with another encryption, creating it shows a problem."""
    kms = Encryption("KMS")
    FakeEcr(world).create_repository("team/race", tags_immutable=False, scan_on_push=True, encryption=kms)
    open_desk.type("Name", "team/race")
    open_desk.press("Create")
    assert "and not AES256" in open_desk.picture["problem"]
    assert "encryption cannot be changed after creation" in open_desk.picture["problem"]


def test_what_was_just_worked_on_leads(open_desk: Desk, kit: NotebookKit) -> None:
    """A newly created repository is shown first."""
    for number in range(100):
        kit.create_repository(f"team/many-{number}")
    open_desk.type("Name", "zeta/new")
    open_desk.press("Create")
    assert [row[0] for row in open_desk.picture["rows"][:2]] == ["zeta/new", "team/app"]


def test_words_narrow_a_panel_from_the_start(desk: Desk, kit: NotebookKit) -> None:
    """A call with words starts with that filter."""
    for name in ("team/app", "team/db"):
        kit.create_repository(name)
    desk.open(kit.repositories("db"))
    assert [row[0] for row in desk.picture["rows"]] == ["team/db"]
    assert desk.state["words"] == "db"


def test_settings_are_changed(open_desk: Desk, world: World) -> None:
    """Only the chosen settings are changed."""
    open_desk.choose("team/app")
    open_desk.type("Tags", "immutable")
    open_desk.press("Change settings")
    assert world.repositories["team/app"].tags_immutable
    assert world.repositories["team/app"].scan_on_push
    assert open_desk.column("tags")[0] == "immutable"


def test_a_policy_is_previewed_and_set_after_a_confirmation(open_desk: Desk, world: World) -> None:
    """A lifecycle policy's effects are previewed, and it is set only after a confirmation."""
    open_desk.choose("team/app")
    open_desk.type("Expire untagged", 0)
    open_desk.type("Keep newest", 0)
    open_desk.press("Preview policy")
    assert "no rule is given" in open_desk.picture["problem"]
    open_desk.type("Keep newest", 1)
    open_desk.press("Preview policy")
    assert open_desk.part("Planned: set the lifecycle policy of team/app") == [
        ["sets rule 2: all images but the newest 1 expire"],
        ["there is no policy now"],
        ["nothing would expire now"],
    ]
    assert world.policies == {}
    open_desk.press("Confirm: set the lifecycle policy of team/app")
    assert '"countNumber": 1' in world.policies["team/app"]
    assert [part["title"] for part in open_desk.picture["parts"]] == ["Last action"]


def test_a_plan_says_what_it_replaces_and_what_runs(
    open_desk: Desk, world: World, kit: NotebookKit, tmp_path: Path
) -> None:
    """A policy's plan lists the rules it replaces and the expiring images, with the services that run them."""
    world.policies["team/app"] = (
        '{"rules": [{"rulePriority": 5, "description": "keep prod", "selection": {}},'
        ' {"rulePriority": 7, "selection": {"tagStatus": "any"}}]}'
    )
    world.pushed_at[world.tags["team/app", "1"]] = world.now - timedelta(days=1)
    web = '{"AWSEBDockerrunVersion": 2, "containerDefinitions": [{"name": "web", "image": "x", "memory": 8}]}'
    (tmp_path / "Dockerrun.aws.json").write_text(web)
    image = kit.find_image("team/app", "1").image
    kit.deploy_service("demo", "web", kit.create_deploy("web", "Dockerrun.aws.json", image=image))
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    kit.push_image(kit.build_image(".", name="app"), repository="team/app", tag="2")
    open_desk.choose("team/app")
    open_desk.type("Expire untagged", 0)
    open_desk.type("Keep newest", 1)
    open_desk.press("Preview policy")
    lines = [line for (line,) in open_desk.part("Planned")]
    assert lines[1:3] == ["replaces rule 5: keep prod", 'replaces rule 7: {"tagStatus": "any"}']
    assert lines[3:] == [f"would expire by rule 2: 1 {image.digest}; RUNS as service demo/web"]


def test_a_preview_without_layer0_says_what_it_does_not_know(
    open_desk: Desk, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Layer0 the preview says that running images are unknown, and shows the rest."""

    def away() -> None:
        raise RepositoryNotFound("Layer0 does not answer")

    monkeypatch.setattr(to.layer0, "list_environments", away)
    open_desk.choose("team/app")
    open_desk.type("Expire untagged", 0)
    open_desk.press("Preview policy")
    lines = [line for (line,) in open_desk.part("Planned")]
    assert lines[2:] == ["nothing would expire now", "what runs is not known: Layer0 does not answer"]


def test_a_plan_can_be_left(open_desk: Desk, world: World) -> None:
    """A discarded plan changes nothing and can no longer be confirmed."""
    open_desk.choose("team/app")
    open_desk.type("Expire untagged", 0)
    open_desk.press("Preview policy")
    open_desk.press("Discard plan")
    assert (world.policies, open_desk.picture["parts"]) == ({}, [])
    assert not open_desk.offers("Confirm")


def test_a_repository_is_deleted_by_typing_its_name(open_desk: Desk, world: World) -> None:
    """A repository is deleted only after typing its exact name, and with images only if that box is ticked."""
    open_desk.choose("team/app")
    open_desk.type("To delete it", "team/ap")
    assert not open_desk.can("Delete")
    open_desk.type("To delete it", "team/app")
    open_desk.press("Delete")
    assert "holds 1 images" in open_desk.picture["problem"]
    assert "team/app" in world.repositories
    open_desk.type("and its images", value=True)
    open_desk.press("Delete")
    assert "team/app" not in world.repositories
    assert [row[0] for row in open_desk.picture["rows"]] == ["team/db"]
    assert [record["state"] for record in open_desk.records] == ["failed", "succeeded"]


def test_a_name_is_looked_at_again_when_the_list_is(open_desk: Desk, kit: NotebookKit) -> None:
    """After a refresh, a name that someone else has used since cannot be created, and the repository can be chosen."""
    open_desk.type("Name", "team/late")
    assert open_desk.can("Create")
    kit.create_repository("team/late")
    open_desk.press("Refresh")
    assert not open_desk.can("Create")
    open_desk.choose("team/late")
    assert open_desk.can("Change settings")


def test_a_repository_of_which_an_image_runs_is_never_deleted(
    open_desk: Desk, world: World, kit: NotebookKit, tmp_path: Path
) -> None:
    """A repository with a running image is not deleted, and the panel says which service runs it."""
    web = '{"AWSEBDockerrunVersion": 2, "containerDefinitions": [{"name": "web", "image": "x", "memory": 8}]}'
    (tmp_path / "Dockerrun.aws.json").write_text(web)
    image = kit.find_image("team/app", "1").image
    kit.deploy_service("demo", "web", kit.create_deploy("web", "Dockerrun.aws.json", image=image))
    open_desk.choose("team/app")
    open_desk.type("To delete it", "team/app")
    open_desk.type("and its images", value=True)
    open_desk.press("Delete")
    assert "it is used by service demo/web" in open_desk.picture["problem"]
    assert "team/app" in world.repositories
