"""Copies, tags, settings, lifecycle policies, uses and deletions, on the fakes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from ecr_widgets.errors import (
    ImageInUse,
    ImageNotFound,
    InputError,
    RegistryError,
    RepositoryNotFound,
    TagImmutable,
    VerifyError,
)
from ecr_widgets.kit import Kit
from ecr_widgets.model.registry import Findings
from ecr_widgets.steps.push_image import PushOutcome
from tests.fakes import REGISTRY, World
from tests.fakes.connections import FakeConnections


def pushed(kit: Kit, folder: Path, tag: str, *, repository: str = "app") -> PushOutcome:
    """Push an image of its own under the tag."""
    (folder / "Dockerfile").write_text(f"FROM busybox {tag}")
    kit.create_repository(repository)
    return kit.push_image(kit.build_image(folder, name="local/app"), repository=repository, tag=tag)


def deployed(to: FakeConnections, image: object, *, service: str | None = None) -> None:
    """Store a deploy that names the image, and run it as a service if one is named."""
    document = {"containerDefinitions": [{"name": "app", "image": str(image), "memory": 10}]}
    stored = to.layer0.create_deploy("web", json.dumps(document).encode())
    if service is not None:
        where = to.layer0.find_environment("demo")
        assert where is not None
        to.layer0.create_service(where.environment_id, service, stored.deploy_id)


def test_a_copy_is_made_once(kit: Kit, world: World, tmp_path: Path) -> None:
    """An image is copied once, by digest, and the outcome names its source."""
    image = pushed(kit, tmp_path, "1")
    kit.create_repository("live")
    first, second = (kit.ecr.copy_image("app", "1", to_repository="live", to_tag="2026.11") for _ in range(2))
    assert (first.changed, second.changed) == (True, False)
    assert str(first.image) == f"{REGISTRY}/live@{image.digest}"
    assert str(first.source) == f"{REGISTRY}/app@{image.digest}"
    assert world.changes.count("copy to live:2026.11") == 1
    with pytest.raises(ImageNotFound):
        kit.ecr.copy_image("app", "nobody", to_repository="live", to_tag="2")


def test_a_copy_does_not_move_an_immutable_tag(kit: Kit, tmp_path: Path) -> None:
    """A copy does not move an immutable tag, and the error names both digests."""
    first, second = pushed(kit, tmp_path, "1"), pushed(kit, tmp_path, "2")
    kit.create_repository("live", tags_immutable=True)
    kit.ecr.copy_image("app", "1", to_repository="live", to_tag="x")
    with pytest.raises(TagImmutable) as refused:
        kit.ecr.copy_image("app", "2", to_repository="live", to_tag="x")
    assert (refused.value.standing, refused.value.wanted) == (first.digest, second.digest)


def test_a_tag_is_set_once(kit: Kit, tmp_path: Path) -> None:
    """A tag is set once, and the outcome of a move has the previous digest."""
    image, other = pushed(kit, tmp_path, "1"), pushed(kit, tmp_path, "2")
    first, second = (kit.ecr.tag_image("app", "1", "live") for _ in range(2))
    moved = kit.ecr.tag_image("app", "2", "live")
    assert [each.changed for each in (first, second, moved)] == [True, False, True]
    assert (moved.previous_digest, moved.digest) == (image.digest, other.digest)
    with pytest.raises(ImageNotFound):
        kit.ecr.tag_image("app", "nobody", "live")


def test_settings_change_only_where_they_differ(kit: Kit, world: World) -> None:
    """Settings change only if they differ, and those not given stay."""
    kit.create_repository("app", scan_on_push=True)
    assert kit.ecr.change_repository("app", tags_immutable=True).changed
    again = kit.ecr.change_repository("app", tags_immutable=True, scan_on_push=True)
    assert (again.changed, again.tags_immutable, again.scan_on_push) == (False, True, True)
    assert world.changes.count("change repository app") == 1
    with pytest.raises(RepositoryNotFound):
        kit.ecr.change_repository("nobody", tags_immutable=True)


def test_exceptions_to_the_rule_for_tags_are_never_dropped_without_a_word(kit: Kit, world: World) -> None:
    """Exceptions to immutable tags are never dropped silently, and a check for immutable tags fails while there are any."""
    made = kit.create_repository("app", tags_immutable=True, tag_exceptions="dev-*")
    assert made.tag_exceptions == ("dev-*",)
    with pytest.raises(VerifyError, match=r"the rule for tags is 'immutable but dev-\*' and not 'immutable'"):
        kit.ecr.check_repository("app", tags_immutable=True, scan_on_push=True)
    assert kit.ecr.check_repository("app", tags_immutable=True, scan_on_push=True, tag_exceptions=["dev-*"])
    before = list(world.changes)
    for immutable in (True, False):
        with pytest.raises(InputError, match=r"this would drop dev-\*; say what becomes of the exceptions"):
            kit.ecr.change_repository("app", tags_immutable=immutable)
    assert world.changes == before
    assert kit.ecr.change_repository("app", scan_on_push=False).tag_exceptions == ("dev-*",)
    assert not kit.ecr.change_repository("app", tags_immutable=True, tag_exceptions="dev-*").changed
    assert kit.ecr.change_repository("app", tag_exceptions=["v*", "dev-*"]).tag_exceptions == ("v*", "dev-*")
    dropped = kit.ecr.change_repository("app", tags_immutable=True, tag_exceptions="")
    assert (dropped.changed, dropped.tag_exceptions) == (True, ())
    assert not kit.ecr.check_repository("app", tags_immutable=True, scan_on_push=False).changed


def test_a_lifecycle_policy_is_set_once(kit: Kit, world: World) -> None:
    """An equal lifecycle policy is not set again, however it is written, and an invalid one is refused."""
    kit.create_repository("app")
    assert kit.ecr.set_lifecycle_policy("app", untagged_days=7).changed
    written = json.dumps(json.loads(world.policies["app"]), indent=4)
    assert not kit.ecr.set_lifecycle_policy("app", written).changed
    for wrong in ("{", "[]", '{"rules": []}'):
        with pytest.raises(InputError):
            kit.ecr.set_lifecycle_policy("app", wrong)
    with pytest.raises(InputError):
        kit.ecr.set_lifecycle_policy("app", untagged_days=-1)
    assert not kit.ecr.set_lifecycle_policy("app").changed


def test_findings_are_given_by_severity(kit: Kit, world: World, tmp_path: Path) -> None:
    """Findings are counted by severity; an image that was never scanned says so."""
    image = pushed(kit, tmp_path, "1")
    assert kit.ecr.find_findings("app", "1").status == "NOT_SCANNED"
    world.findings[image.digest] = Findings("COMPLETE", {"HIGH": 2})
    assert dict(kit.ecr.find_findings("app", image.digest).counts) == {"HIGH": 2}
    assert kit.ecr.find_findings("app", "").digest == image.digest
    kit.create_repository("empty")
    with pytest.raises(ImageNotFound, match="has no images"):
        kit.ecr.find_findings("empty", "")


def test_uses_are_found_by_digest_and_by_tag(kit: Kit, to: FakeConnections, tmp_path: Path) -> None:
    """Uses are found by digest and by tag, running ones first; images of other repositories are left out."""
    first, _ = pushed(kit, tmp_path, "1"), pushed(kit, tmp_path, "2")
    deployed(to, f"{REGISTRY}/app@{first.digest}", service="web")
    deployed(to, f"{REGISTRY}/app:2")
    deployed(to, f"{REGISTRY}/other:1")
    deployed(to, "busybox")
    found = kit.ecr.find_uses("app")
    assert [(use.by, use.runs) for use in found.uses] == [
        ("service demo/web", True),
        ("deploy web.1", False),
        ("deploy web.2", False),
    ]
    assert [use.by for use in found.running] == ["service demo/web"]


def test_only_what_is_old_and_unused_is_deleted(
    kit: Kit, to: FakeConnections, world: World, tmp_path: Path
) -> None:
    """Only old and unused images are deleted, and only after the name was typed."""

    def days_old(days: float) -> PushOutcome:
        image = pushed(kit, tmp_path, str(days))
        world.pushed_at[image.digest] = world.now - timedelta(days=days)
        return image

    running, named, old, young, newest = map(days_old, (90, 80, 70, 5, 1))
    deployed(to, running.image, service="web")
    deployed(to, f"{REGISTRY}/app:80")
    unused = kit.ecr.find_unused_images("app", keep_newest=1, older_than_days=30)
    assert [image.digest for image in unused.deletable] == [old.digest]
    assert set(unused.in_use) == {running.digest, named.digest}
    assert (unused.kept_newest, unused.kept_young) == (1, 1)
    proposed = kit.ecr.delete_images("app", unused, typed_name="")
    assert (proposed.changed, proposed.deleted, proposed.proposed) == (False, (), (old.digest,))
    done = kit.ecr.delete_images("app", unused, typed_name="app")
    assert (done.changed, done.deleted) == (True, (old.digest,))
    assert not kit.ecr.delete_images("app", unused, typed_name="app").changed
    left = {digest for _, digest in world.manifests}
    assert left == {running.digest, named.digest, young.digest, newest.digest}


def test_what_runs_meanwhile_is_not_deleted(
    kit: Kit, to: FakeConnections, world: World, tmp_path: Path
) -> None:
    """If one of several images is used by the time of deletion, none is deleted."""
    first, second = pushed(kit, tmp_path, "1"), pushed(kit, tmp_path, "2")
    deployed(to, first.image, service="web")
    before = list(world.changes)
    with pytest.raises(ImageInUse, match=r"used by service demo/web; deploy web\.1"):
        kit.ecr.delete_images("app", [second.digest, first.digest], typed_name="app")
    assert world.changes == before


def test_a_repository_is_deleted_behind_its_typed_name(
    kit: Kit, to: FakeConnections, world: World, tmp_path: Path
) -> None:
    """A repository is deleted once, and only with its name typed, images allowed to go, and none of them running."""
    image = pushed(kit, tmp_path, "1")
    with pytest.raises(InputError, match="typed again"):
        kit.ecr.delete_repository("app", typed_name="ap")
    with pytest.raises(RegistryError, match="holds 1 image"):
        kit.ecr.delete_repository("app", typed_name="app")
    deployed(to, image.image, service="web")
    with pytest.raises(ImageInUse):
        kit.ecr.delete_repository("app", typed_name="app", with_images=True)
    pushed(kit, tmp_path, "1", repository="other")
    first, second = (
        kit.ecr.delete_repository("other", typed_name="other", with_images=True) for _ in range(2)
    )
    assert (first.changed, first.images, second.changed) == (True, 1, False)
    assert sorted(world.repositories) == ["app"]
