"""The image panel: order, indexes and platforms, running images, push, pull, tag and delete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from ecr_widgets.audit.image_lines import MOST_FACTS
from ecr_widgets.errors import EngineUnavailable, RegistryUnavailable, RepositoryNotFound
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import Child, Findings, Image, ImageDetails, ImagePage
from ecr_widgets.panels.images import ImagesPanel
from ecr_widgets.panels.notebook_kit import NotebookKit
from tests.fakes import NOW, FakeEcr, FakeRegistry, World, digest_of
from tests.fakes.connections import FakeConnections
from tests.fakes.gate import ALICE, FakeGate, proof
from tests.unit.panels.desk import Desk


def push(kit: NotebookKit, folder: Path, tag: str) -> str:
    (folder / "Dockerfile").write_text(f"FROM busybox\nLABEL tag={tag}")
    return kit.push_image(kit.build_image(".", name="app"), repository="app", tag=tag).digest


@pytest.fixture
def digests(kit: NotebookKit, world: World, tmp_path: Path) -> list[str]:
    """Three images, pushed an hour apart."""
    kit.create_repository("app")
    found = []
    for tag in ("1", "2", "3"):
        found.append(push(kit, tmp_path, tag))
        world.now += timedelta(hours=1)
    return found


@pytest.fixture
def open_desk(desk: Desk, kit: NotebookKit, digests: list[str]) -> Desk:
    desk.open(kit.images("app"))
    return desk


def test_the_newest_push_comes_first(open_desk: Desk, digests: list[str]) -> None:
    """Images are listed newest push first, and the saved picture has whole digests."""
    rows = open_desk.picture["rows"]
    assert [row[0] for row in rows] == ["3", "2", "1"]
    assert [row[open_desk.picture["columns"].index("digest")] for row in rows] == digests[::-1]


def test_a_picture_shows_sizes_and_growth_by_tag(open_desk: Desk, kit: NotebookKit) -> None:
    """The picture plots sizes and growth by tag once the whole list has been read."""
    (plot,) = open_desk.picture["plots"]
    assert "growth: 3 1.0 kB 33% same; 2 1.0 kB 33% same; 1 1.0 kB 33%; all 3" in plot["alt"]
    panel = kit.images("app")
    assert panel.draw(NOW).plots == ()


def test_looking_at_a_panel_pulls_no_image(
    monkeypatch: pytest.MonkeyPatch, desk: Desk, kit: NotebookKit, world: World, digests: list[str]
) -> None:
    """Showing or filtering the panel reads only indexes, as ECR counts reading a manifest as a pull; a button reads the rest."""
    world.details[digests[2]] = ImageDetails(children=(Child(digests[1], "linux/amd64"),))
    read: list[str | None] = []
    plain = FakeRegistry.read_details

    def counted(self: FakeRegistry, image: ImageReference, token: AuthorizationToken) -> ImageDetails:
        read.append(image.digest)
        return plain(self, image, token)

    monkeypatch.setattr(FakeRegistry, "read_details", counted)
    desk.open(kit.images("app"))
    desk.type("Filter", "1")
    desk.type("Filter", "")
    desk.settle()
    assert read == [digests[2]]
    desk.press("Read platforms")
    column = desk.picture["columns"].index("platform")
    assert {row[0]: row[column] for row in desk.picture["rows"]}["1"] == "linux/amd64"


def test_images_of_an_index_stand_below_it(
    desk: Desk, kit: NotebookKit, world: World, digests: list[str]
) -> None:
    """Untagged images of an index are listed below it with their platforms, and are filtered together with it."""
    del world.tags["app", "1"], world.tags["app", "2"]
    world.details[digests[2]] = ImageDetails(
        children=(Child(digests[0], "linux/arm64"), Child(digests[1], "linux/amd64"))
    )
    desk.open(kit.images("app"))
    rows = desk.picture["rows"]
    assert [row[0] for row in rows] == ["3", "└ linux/arm64", "└ linux/amd64"]
    columns = desk.picture["columns"]
    assert [row[columns.index("digest")] for row in rows] == [digests[2], digests[0], digests[1]]
    assert rows[0][columns.index("platform")] == "2 platforms"
    desk.type("Filter", digests[0][7:20])
    assert [row[columns.index("digest")] for row in desk.picture["rows"]] == [
        digests[2],
        digests[0],
        digests[1],
    ]


def test_attestations_are_no_platforms(
    desk: Desk, kit: NotebookKit, world: World, digests: list[str]
) -> None:
    """Attestations do not count as platforms, and are listed below with the image they are about."""
    proofs = [digest_of(f"proof {number}") for number in range(2)]
    world.manifests |= {("app", each) for each in proofs}
    del world.tags["app", "1"], world.tags["app", "2"]
    multi, single = digest_of("multi"), digests[2]
    world.manifests.add(("app", multi))
    world.tags["app", "multi"] = multi
    world.details[multi] = ImageDetails(
        children=(
            Child(digests[0], "linux/arm64"),
            Child(digests[1], "linux/amd64"),
            Child(proofs[0], "", digests[0], is_image=False),
        )
    )
    lone = digest_of("lone")
    world.manifests.add(("app", lone))
    world.details[single] = ImageDetails(
        children=(Child(lone, "linux/amd64"), Child(proofs[1], "", lone, is_image=False))
    )
    desk.open(kit.images("app"))
    shown = dict(zip(desk.column("tags"), desk.column("platform"), strict=True))
    assert shown == {
        "multi": "2 platforms, 1 attestation",
        "└ linux/arm64": "linux/arm64",
        "└ linux/amd64": "linux/amd64",
        f"└ attestation of {digests[0]}": "",
        "3": "linux/amd64, 1 attestation",
        f"└ attestation of {lone}": "",
    }
    size = dict(zip(desk.column("tags"), desk.column("size"), strict=True))
    assert size["3"] == "1.0 kB"


def test_signatures_stand_below_what_they_sign(
    desk: Desk, kit: NotebookKit, world: World, digests: list[str]
) -> None:
    """Signatures and referrers are listed below their image without actions; one whose image is missing says so."""
    for name, about in (("signature", digests[1]), ("lost", digest_of("elsewhere"))):
        world.manifests.add(("app", digest_of(name)))
        world.tags["app", about.replace(":", "-") + ".sig"] = digest_of(name)
    world.manifests.add(("app", digest_of("note")))
    world.subjects[digest_of("note")] = digests[0]
    desk.open(kit.images("app"))
    tags = desk.column("tags")
    assert tags[tags.index("2") + 1] == "└ signature"
    assert tags[tags.index("1") + 1] == "└ referrer"
    assert f"signature of {digest_of('elsewhere')}, which is not here" in tags
    assert desk.picture["note"] == "6 in all, 3 of them signatures and the like"
    for row in desk.rows:
        desk.choose(row[desk.state["key"]])
        assert bool(desk.drawer["actions"]) == (row[0] in ("1", "2", "3"))


def test_a_document_that_we_would_not_write_runs_its_image(
    desk: Desk, kit: NotebookKit, to: FakeConnections, digests: list[str]
) -> None:
    """An image in an unusual stored document is shown as running and cannot be deleted; others can."""
    image = f"111222333444.dkr-ecr.us-east-1.on.aws/app@{digests[1]}"
    document = f'{{"containerDefinitions": [{{"image": "{image}", "environment": [{{"name": 1}}]}}]}}'
    stored = to.layer0.create_deploy("odd", document.encode())
    to.layer0.create_service("demo24e9e412", "odd", stored.deploy_id)
    desk.open(kit.images("111222333444.dkr.ecr.us-east-1.amazonaws.com/app"))
    assert desk.column("runs as") == ["", "service demo/odd", ""]
    desk.choose("2")
    desk.type("To delete it", "app")
    desk.press("Delete")
    assert "must not be deleted: it is used by service demo/odd" in desk.picture["problem"]
    desk.choose("1")
    desk.press("Delete")
    assert desk.column("tags") == ["3", "2"]


def test_findings_are_told_by_severity(
    desk: Desk, kit: NotebookKit, to: FakeConnections, digests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Findings are listed by severity; a scan in progress and one without findings are shown as such."""
    found = {
        digests[0]: Findings("COMPLETE", {"HIGH": 2, "CRITICAL": 1}),
        digests[1]: Findings("IN_PROGRESS", {}),
        digests[2]: Findings("COMPLETE", {"UNDEFINED": 3, "INFORMATIONAL": 7, "NEW_WORD": 1}),
    }
    plain = FakeEcr.list_images

    def listed(self: FakeEcr, repository: str) -> object:
        for page in plain(self, repository):
            images = tuple(replace(image, findings=found[image.digest]) for image in page)
            yield ImagePage(images, page.is_last)

    monkeypatch.setattr(FakeEcr, "list_images", listed)
    desk.open(kit.images("app"))
    column = desk.picture["columns"].index("findings")
    assert [row[column] for row in desk.picture["rows"]] == [
        "7 informational, 3 undefined, 1 new_word",
        "in progress",
        "1 critical, 2 high",
    ]
    found[digests[2]] = Findings("COMPLETE", {"LOW": 0})
    desk.press("Refresh")
    assert desk.picture["rows"][0][column] == "none"


def test_where_an_image_runs_is_told(
    desk: Desk, kit: NotebookKit, tmp_path: Path, digests: list[str]
) -> None:
    """A running image is shown with its service and cannot be deleted."""
    (tmp_path / "Dockerrun.aws.json").write_text(
        '{"AWSEBDockerrunVersion": 2, "containerDefinitions": [{"name": "web", "image": "x", "memory": 8}]}'
    )
    image = kit.find_image("app", "2")
    kit.deploy_service("demo", "web", kit.create_deploy("web", "Dockerrun.aws.json", image=image.image))
    desk.open(kit.images("app"))
    column = desk.picture["columns"].index("runs as")
    assert [row[column] for row in desk.picture["rows"]] == ["", "service demo/web", ""]
    assert column == 1
    desk.choose("2")
    desk.type("To delete it", "app")
    desk.press("Delete")
    assert "it is used by service demo/web" in desk.picture["problem"]
    assert len(desk.picture["rows"]) == 3


def test_a_page_is_shown_before_the_rest_is_read(
    monkeypatch: pytest.MonkeyPatch, kit: NotebookKit, digests: list[str]
) -> None:
    """In a run only the first page is read, and the picture says so; to_pandas reads the whole list."""
    monkeypatch.setattr(FakeEcr, "page", 2)
    desk = Desk(monkeypatch, kit, live=False)
    panel = kit.images("app")
    desk.open(panel)
    assert len(desk.picture["rows"]) == 2
    assert "the first 2 that ECR listed; there are more" in desk.picture["note"]
    assert desk.messages == []
    assert list(panel.to_pandas()["digest"]) == digests[::-1]


def test_the_full_list_has_what_the_table_shows(
    monkeypatch: pytest.MonkeyPatch, kit: NotebookKit, to: FakeConnections
) -> None:
    """to_pandas has findings, scan status and media type if ECR reports them."""
    found = Findings("COMPLETE", {"HIGH": 2})
    image = Image(digest_of("x"), ("1",), 1, NOW, "application/vnd.oci.image.index.v1+json", None, found)
    other = Image(digest_of("y"), (), 1, NOW - timedelta(hours=1))
    monkeypatch.setattr(to.ecr, "list_images", lambda _: iter([ImagePage((image, other), is_last=True)]))
    frame = kit.images("app").to_pandas()
    assert list(frame["findings"]) == [{"HIGH": 2}, None]
    assert list(frame["scan_status"].dropna()) == ["COMPLETE"]
    assert list(frame["media_type"].dropna()) == ["application/vnd.oci.image.index.v1+json"]


def test_a_name_that_ecr_refuses_is_said_in_the_panel(desk: Desk, kit: NotebookKit) -> None:
    """An invalid repository name is shown as the panel's problem."""
    desk.open(kit.images("Bad Name"))
    assert "'Bad Name' refused: not a repository name that ECR accepts" in desk.picture["problem"]


def test_a_list_that_was_whole_never_shrinks_while_it_is_read_again(
    monkeypatch: pytest.MonkeyPatch, kit: NotebookKit, digests: list[str]
) -> None:
    """While the list is read again, all rows stay."""
    monkeypatch.setattr(FakeEcr, "page", 1)
    panel = ImagesPanel(kit, "app")
    for _ in panel.read():
        pass
    assert {len(panel.draw(NOW).rows) for _ in panel.read()} == {3}


def test_a_tag_that_stands_is_moved_only_when_confirmed(
    open_desk: Desk, world: World, kit: NotebookKit
) -> None:
    """Pushing to an existing tag needs a confirmation; a new tag is pushed without one."""
    open_desk.type("Local image", "app")
    open_desk.type("Tag", "1")
    open_desk.press("Push")
    assert "the tag would move" in open_desk.part("Planned: push app to app:1")[0][0]
    assert open_desk.records == []
    open_desk.press("Confirm")
    assert world.tags["app", "1"] == world.tags["app", "3"]
    open_desk.type("Local image", "app")
    open_desk.type("Tag", "4")
    open_desk.press("Push")
    assert world.tags["app", "4"] == world.tags["app", "3"]
    assert [record["step"] for record in open_desk.records] == ["push_image", "push_image"]


def test_an_image_is_built_from_a_folder_and_pushed(open_desk: Desk, world: World, tmp_path: Path) -> None:
    """An image can be built from a folder and pushed, each with its record."""
    (tmp_path / "Dockerfile.new").write_text("FROM busybox\nLABEL made=here\n")
    open_desk.type("Folder", ".")
    open_desk.type("Dockerfile", "Dockerfile.new")
    open_desk.type("Local name", "made/here")
    open_desk.press("Build")
    open_desk.type("Tag", "new")
    open_desk.press("Push")
    assert [record["step"] for record in open_desk.records] == ["build_image", "push_image"]
    assert ("app", "new") in world.tags


@pytest.mark.parametrize("button", ["Push", "Set tag"])
def test_a_tag_that_was_set_elsewhere_meanwhile_is_moved_only_when_confirmed(
    open_desk: Desk, world: World, digests: list[str], button: str
) -> None:
    """The registry is asked again before a tag is set: one that was set elsewhere since is moved only after a confirmation."""
    world.tags["app", "stable"] = digests[0]
    open_desk.type("Local image", "app")
    open_desk.type("Tag", "stable")
    open_desk.choose("3")
    open_desk.type("New tag", "stable")
    open_desk.press(button)
    ((line,),) = open_desk.part("Planned: ")
    assert digests[0] in line
    assert world.tags["app", "stable"] == digests[0]
    assert open_desk.records == []
    open_desk.press("Confirm")
    assert world.tags["app", "stable"] == digests[2]


def test_a_reference_to_copy_is_whole_or_not_there(
    desk: Desk, kit: NotebookKit, digests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image's reference is empty until the registry's name is known, and complete while pages are still being read."""
    chosen = Event()
    plain = FakeEcr.list_images

    def slow(self: FakeEcr, repository: str) -> Iterator[ImagePage]:
        for page in plain(self, repository):
            yield page
            assert chosen.wait(10)

    monkeypatch.setattr(FakeEcr, "list_images", slow)
    monkeypatch.setattr(FakeEcr, "page", 1)
    panel = kit.images("app")
    panel._ipython_display_()
    (image,) = panel._images
    assert panel.reference(image) == ""
    desk.send({"do": "hello"})
    desk.send({"do": "open", "row": image.digest})
    deadline_s = monotonic() + 10
    while not desk.drawer["facts"]:
        assert monotonic() < deadline_s
    assert desk.drawer["facts"][0] == ["reference", f"registry.test:5000/app@{image.digest}"]
    assert len(panel._images) == 1
    chosen.set()
    desk.settle()


def test_an_image_is_named_tagged_and_pulled(open_desk: Desk, world: World, digests: list[str]) -> None:
    """An image's reference and pull command use its digest; a valid new tag can be set, and the image pulled."""
    open_desk.choose("2")
    reference = f"registry.test:5000/app@{digests[1]}"
    assert open_desk.drawer["facts"] == [["reference", reference], ["pull", f"docker pull {reference}"]]
    open_desk.type("New tag", "sta ble")
    assert not open_desk.can("Set tag")
    open_desk.type("New tag", "stable")
    open_desk.press("Set tag")
    open_desk.press("Pull")
    assert world.tags["app", "stable"] == digests[1]
    assert open_desk.picture["rows"][1][0] == "2, stable"
    assert [record["step"] for record in open_desk.records] == ["tag_image", "pull_image"]


def test_an_image_is_deleted_by_typing_the_repositorys_name(
    open_desk: Desk, world: World, digests: list[str]
) -> None:
    """An image is deleted only after typing its repository's exact name."""
    open_desk.choose("1")
    open_desk.type("To delete it", "ap")
    assert not open_desk.can("Delete")
    assert open_desk.why_not("Delete") == "that is not app"
    open_desk.type("To delete it", "app")
    open_desk.press("Delete")
    assert ("app", digests[0]) not in world.manifests
    assert len(open_desk.picture["rows"]) == 2


def test_an_engine_that_is_down_is_said_and_the_panel_goes_on(
    open_desk: Desk, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the engine is down, the panel shows the error and a hint, and the same push works later."""

    def down(image: str) -> None:
        raise EngineUnavailable("no Docker Engine answers", hint="start it")

    open_desk.type("Local image", "app")
    open_desk.type("Tag", "4")
    with monkeypatch.context() as patch:
        patch.setattr(to.engine, "find_image_id", down)
        open_desk.press("Push")
    assert open_desk.picture["problem"] == "no Docker Engine answers; start it"
    open_desk.press("Push")
    assert (open_desk.picture["problem"], open_desk.picture["rows"][0][0]) == ("", "3, 4")


def test_a_token_that_was_revoked_is_renewed_behind_the_panel(open_desk: Desk, world: World) -> None:
    """A revoked token is renewed without an error."""
    world.valid_passwords.clear()
    issued = world.tokens_issued
    open_desk.type("Local image", "app")
    open_desk.type("Tag", "4")
    open_desk.press("Push")
    assert (open_desk.picture["problem"], world.tokens_issued - issued) == ("", 1)


def test_a_repository_that_was_deleted_elsewhere_is_said(open_desk: Desk, world: World) -> None:
    """If the repository was deleted elsewhere, the last list stays with its time; once it is created again, it is read."""
    standing = world.repositories.pop("app")
    seen_at = open_desk.picture["at"]
    world.now += timedelta(hours=1)
    open_desk.press("Refresh")
    assert open_desk.picture["problem"] == "app"
    assert (len(open_desk.picture["rows"]), open_desk.picture["at"]) == (3, seen_at)
    world.repositories["app"] = standing
    open_desk.press("Refresh")
    assert open_desk.picture["problem"] == ""


def test_layer0_that_is_away_is_a_note(
    desk: Desk, kit: NotebookKit, to: FakeConnections, digests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If Layer0 is unavailable, images are still shown, with a note that running ones are unknown."""

    def away() -> None:
        raise RepositoryNotFound("Layer0 does not answer")

    monkeypatch.setattr(to.layer0, "list_environments", away)
    desk.open(kit.images("app"))
    assert "what runs is not known: Layer0 does not answer" in desk.picture["note"]
    assert len(desk.picture["rows"]) == 3


def test_ten_thousand_images_make_a_small_picture(
    desk: Desk, kit: NotebookKit, to: FakeConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 10,000 images the picture stays small and has the number of those left out."""
    kit.create_repository("app")
    images = tuple(
        Image(digest_of(f"{number}"), (f"v{number}",), number, NOW - timedelta(minutes=number))
        for number in range(10_000)
    )
    pages = [ImagePage(images[n : n + 1000], is_last=n == 0) for n in range(9000, -1, -1000)]
    monkeypatch.setattr(to.ecr, "list_images", lambda repository: iter(pages))
    desk.open(kit.images("app"))
    picture = desk.picture
    assert picture["rows"][0][0] == "v0"
    assert len(picture["rows"]) + picture["left_out"] == 10_000
    (bundle,) = (each for each in desk.shown.values() if "application/vnd.ecr-widgets.panel+json" in each)
    assert sum(len(form.encode()) for form in bundle.values()) <= 40_000


def test_the_runs_of_an_image_are_shown_when_they_are_asked_for(
    open_desk: Desk, to: FakeConnections, digests: list[str]
) -> None:
    """A button shows an image's runs in its drawer, newest first and limited in number, or why they are not known."""
    gate = FakeGate(is_set=False)
    to.gate = gate
    gate.proofs = [proof(digests[1], days_ago=each / 10, ran_in="demo") for each in range(1, 23)]
    gate.proofs.append(proof(digests[0], days_ago=0.01))
    open_desk.choose("2")
    assert not gate.asked
    open_desk.press("Show runs")
    runs = [text for name, text in open_desk.drawer["facts"] if name == "run"]
    assert len(runs) == MOST_FACTS + 1
    assert runs[0].startswith("proven, release run-0.1, ")
    assert "by alice, without an approval: pushed to registry/app, verified to run in demo/web;" in runs[0]
    assert f"by key {ALICE}" in runs[0]
    assert runs[-1].startswith("2 more: `ecr-widgets audit of registry.test:5000/app@sha256:")
    gate.fails = RegistryUnavailable("no answer")
    open_desk.press("Show runs")
    assert ["run", "not known: no answer"] in [list(each) for each in open_desk.drawer["facts"]]
