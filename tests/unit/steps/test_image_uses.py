"""What uses an image: nothing in use is ever called unused or deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import ImageInUse, ImageNotFound, InputError, Layer0Unavailable, RegistryError
from ecr_widgets.kit import Kit
from ecr_widgets.model.registry import Child, ImageDetails
from ecr_widgets.model.services import Task
from tests.fakes import REGISTRY, FakeLayer0, World, digest_of
from tests.fakes.connections import FakeConnections, make_kit

DUAL_STACK = "111222333444.dkr-ecr.us-east-1.on.aws"


class Bench:
    """A repository `app` whose images have names, and a Layer0 that stores what it is given."""

    def __init__(self, folder: Path) -> None:
        self.world = World()
        self.to = FakeConnections(self.world)
        self.kit: Kit = make_kit(self.to, folder)
        self.kit.create_repository("app")

    def put(
        self,
        name: str,
        *tags: str,
        days_old: float = 90,
        pulled_days_ago: float | None = None,
        about: str = "",
    ) -> str:
        """Put an image, or something about another image."""
        digest, world = digest_of(name), self.world
        world.manifests.add(("app", digest))
        for tag in tags:
            world.tags["app", tag] = digest
        world.pushed_at[digest] = world.now - timedelta(days=days_old)
        if pulled_days_ago is not None:
            world.pulled_at[digest] = world.now - timedelta(days=pulled_days_ago)
        if about:
            world.subjects[digest] = digest_of(about)
        return digest

    def index(self, name: str, *tags: str, of: tuple[str, ...], proof: str = "", days_old: float = 90) -> str:
        """Put an index of existing images, perhaps with an attestation of the first."""
        children = [Child(digest_of(each), f"linux/{each}") for each in of]
        if proof:
            children.append(Child(digest_of(proof), "", digest_of(of[0]), is_image=False))
        self.world.details[digest_of(name)] = ImageDetails(children=tuple(children))
        return self.put(name, *tags, days_old=days_old)

    def store(self, document: bytes | dict[str, Any] | str, *, name: str = "web") -> str:
        """Store a deploy; a plain text is the image of a Dockerrun with one container."""
        if isinstance(document, str):
            document = {"containerDefinitions": [{"name": "a", "image": document, "memory": 8}]}
        if isinstance(document, dict):
            document = json.dumps(document).encode()
        return self.to.layer0.create_deploy(name, document).deploy_id

    def run(self, deploy_id: str, *, service: str = "web", days_ago: float = 30) -> None:
        """Run the deploy as a service since so many days ago."""
        layer0 = self.to.layer0
        made = layer0.create_service("demo24e9e412", service, deploy_id)
        began = self.world.now - timedelta(days=days_ago)
        deployments = tuple(replace(each, created_at=began) for each in made.deployments)
        layer0.services[made.service_id] = replace(made, deployments=deployments)

    def unused(self, **asked: float) -> set[str]:
        """Return the digests of the images that are unused."""
        given: dict[str, Any] = {"keep_newest": 0, "older_than_days": 0} | asked
        return {image.digest for image in self.kit.ecr.find_unused_images("app", **given).deletable}

    def left(self) -> set[str]:
        return {digest for _, digest in self.world.manifests}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    "document",
    [
        '{{"containerDefinitions": [{{"image": "{image}", "environment": [{{"name": "A"}}, {{"name": "A"}}]}}]}}',
        '{{"containerDefinitions": [{{"image": "{image}", "image": "busybox"}}]}}',
        '\ufeff{{"CONTAINERDEFINITIONS": [{{"IMAGE": " {image} "}}], "family": "mine"}}',
        '{{"containerDefinitions": [{{"name": "a b", "image": "{image}", "links": [1]}}, {{"image": 7}}]}}',
    ],
)
def test_a_document_that_we_would_not_write_uses_its_images(bench: Bench, document: str) -> None:
    """Images in unusual documents are in use, for a running service and for a stored deploy."""
    runs, stored, free = (bench.put(name) for name in ("runs", "stored", "free"))
    bench.run(bench.store(document.format(image=f"{REGISTRY}/app@{runs}").encode()))
    bench.store(document.format(image=f"{REGISTRY}/app@{stored}").encode())
    assert bench.unused() == {free}
    with pytest.raises(ImageInUse, match="service demo/web"):
        bench.kit.ecr.delete_images("app", [free, runs], typed_name="app")
    assert bench.left() == {runs, stored, free}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda bench: bench.store(b"no JSON"), "deploy web.2 cannot be read"),
        (lambda bench: bench.store(b""), "deploy web.2 cannot be read"),
        (
            lambda bench: bench.to.layer0.delete_deploy("web.1"),
            "service demo/web runs deploy web.1, which is no longer",
        ),
        (lambda bench: bench.store("${HOST}/app:${TAG}"), "which may be any image of app"),
        (lambda bench: bench.store(f"{REGISTRY}/app@sha256:12"), "which may be any image of app"),
    ],
)
def test_what_cannot_be_read_may_use_anything(
    bench: Bench, spoil: Callable[[Bench], object], why: str
) -> None:
    """If a document cannot be read, nothing is called unused or deleted, and the reason is given."""
    used, free = bench.put("used"), bench.put("free")
    bench.run(bench.store(f"{REGISTRY}/app@{used}"))
    assert bench.unused() == {free}
    spoil(bench)
    found = bench.kit.ecr.find_unused_images("app", keep_newest=0, older_than_days=0)
    assert found.deletable == ()
    assert any(why in each for each in found.unknown), found.unknown
    assert not bench.kit.ecr.delete_images("app", found, typed_name="app").changed
    with pytest.raises(ImageInUse, match="it is not known what is used"):
        bench.kit.ecr.delete_images("app", [free], typed_name="app")
    with pytest.raises(ImageInUse, match="it is not known what is used"):
        bench.kit.ecr.delete_repository("app", typed_name="app", with_images=True)
    assert bench.left() == {used, free}


def test_a_document_without_images_hides_nothing(bench: Bench) -> None:
    """A document without images, or with a template for another registry, uses none of this repository's images."""
    free = bench.put("free")
    for document in (b"{}", b'{"containerDefinitions": []}', b"null"):
        bench.store(document)
    for text in ("<IMAGE1_NAME>", "app:${TAG}", "busybox", "other/app2:${TAG}"):
        bench.store(text)
    assert bench.unused() == {free}


def test_layer0_that_does_not_answer_stops_a_deletion(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Layer0 does not answer, a search for unused images and a deletion fail, and nothing is deleted."""
    free = bench.put("free")

    def away(*_: object) -> None:
        raise Layer0Unavailable("Layer0 does not answer")

    monkeypatch.setattr(FakeLayer0, "list_services", away)
    for act in (
        lambda: bench.unused(),
        lambda: bench.kit.ecr.delete_images("app", [free], typed_name="app"),
        lambda: bench.kit.ecr.delete_repository("app", typed_name="app", with_images=True),
    ):
        with pytest.raises(Layer0Unavailable):
            act()
    assert bench.left() == {free}


def test_a_service_by_tag_may_run_what_its_tag_has_named(bench: Bench) -> None:
    """A service started by tag may use any image that the tag could have named then or when a copy started later."""
    first, other = bench.put("first", days_old=40), bench.put("other", "v1", days_old=50)
    scaled = bench.put("scaled", days_old=10, pulled_days_ago=9)
    named, never = bench.put("named", "live", days_old=5), bench.put("never", days_old=7)
    bench.run(bench.store(f"{REGISTRY}/app:live"), days_ago=30)
    assert bench.unused(pulled_within_days=0) == {never}
    found = bench.kit.ecr.find_unused_images("app", keep_newest=0, older_than_days=0)
    assert found.in_use[named] == ("service demo/web", "deploy web.1")
    for digest in (first, other, scaled):
        assert found.in_use[digest] == ("service demo/web, perhaps: it was started by tag live",)
    bench.store(f"{REGISTRY}/app:v1", name="stored")
    assert bench.unused(pulled_within_days=0) == {never}


def test_a_look_at_an_index_does_not_make_it_one_that_may_run(bench: Bench) -> None:
    """A search reads indexes, which ECR counts as pulls, but that alone does not make an index count as used."""
    bench.put("amd64", days_old=5)
    index = bench.index("index", "2", of=("amd64",), days_old=5)
    named = bench.put("named", "live", days_old=40)
    bench.run(bench.store(f"{REGISTRY}/app:live"), days_ago=30)
    found = bench.kit.ecr.find_unused_images("app", keep_newest=0, older_than_days=0)
    assert bench.kit.ecr.delete_images("app", found, typed_name="app").deleted == (index,)
    assert bench.left() == {named}


def test_a_stored_deploy_by_tag_uses_what_the_tag_names_now(bench: Bench) -> None:
    """A stored deploy by tag uses the image that the tag names now; without a tag this is `latest`."""
    old, latest = bench.put("old"), bench.put("new", "latest")
    bench.store(f"{REGISTRY}/app")
    assert bench.unused() == {old}
    assert bench.kit.ecr.find_unused_images("app", keep_newest=0).in_use == {latest: ("deploy web.1",)}


def test_a_task_by_tag_may_run_anything_that_stands(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running task by tag may use any image, because Layer0 does not report when it started."""
    bench.put("old"), bench.put("new", "job")
    deploy_id = bench.store(f"{REGISTRY}/app:job")
    bench.to.layer0.start_task("demo24e9e412", "backup", deploy_id, {}, run_id="", token="")
    running = Task("task00000000", "backup", "demo24e9e412", deploy_id, 1, 0, "", ())
    monkeypatch.setattr(FakeLayer0, "read_task", lambda *_: running)
    assert bench.unused() == set()
    monkeypatch.setattr(FakeLayer0, "read_task", lambda *_: replace(running, running_count=0))
    assert bench.unused() == {digest_of("old")}


@pytest.mark.parametrize(
    ("host", "used"),
    [
        (REGISTRY, True),
        (DUAL_STACK, True),
        ("111222333444.dkr.ecr-fips.us-east-1.amazonaws.com", True),
        ("vpce-0a1b-2c3d.dkr.ecr.us-east-1.vpce.amazonaws.com", True),
        ("images.example.com", True),
        ("127.0.0.1:5001", True),
        ("222333444555.dkr.ecr.us-east-1.amazonaws.com", False),
        ("111222333444.dkr.ecr.eu-west-1.amazonaws.com", False),
        ("docker.io", False),
    ],
)
def test_one_registry_is_known_by_all_its_names(bench: Bench, host: str, used: bool) -> None:  # noqa: FBT001
    """An image on a host that may be an alias of the registry is in use; one that is surely in another registry is not."""
    digest = bench.put("x")
    bench.run(bench.store(f"{host}/app@{digest}"))
    assert (bench.unused() == set()) is used


def test_what_belongs_to_an_image_goes_only_with_it(bench: Bench) -> None:
    """An image's parts are deleted only with it: images of an index, attestations, signatures and notes on these."""
    for name in ("amd64", "arm64", "proof", "amd32", "proof2"):
        bench.put(name)
    used = bench.index("used", "1", of=("amd64", "arm64"), proof="proof")
    free = bench.index("free", "2", of=("amd32", "arm64"), proof="proof2")
    for name in ("used", "free"):
        bench.put(f"signature of {name}", digest_of(name).replace(":", "-") + ".sig", days_old=1)
        bench.put(f"note on {name}", about=name, days_old=1)
    bench.put("note on the signature", about="signature of free")
    elsewhere = bench.put("elsewhere", digest_of("not here").replace(":", "-") + ".sig")
    bench.run(bench.store(f"{REGISTRY}/app@{used}"))
    found = bench.kit.ecr.find_unused_images("app", keep_newest=0, older_than_days=30)
    assert [image.digest for image in found.deletable] == [free]
    assert (found.parts, found.kept_orphans, set(found.in_use)) == (5, 1, {used})
    planned = bench.kit.ecr.delete_images("app", found, typed_name="")
    done = bench.kit.ecr.delete_images("app", found, typed_name="app")
    assert (planned.proposed, sorted(planned.parts)) == (done.deleted, sorted(done.parts))
    names = ("amd32", "proof2", "signature of free", "note on free", "note on the signature")
    assert (done.deleted, set(done.parts), dict(done.kept)) == ((free,), {digest_of(n) for n in names}, {})
    assert elsewhere in bench.left()
    assert len(bench.left()) == 7
    assert bench.unused() == set()


@pytest.mark.parametrize("name", ["amd64", "proof", "signature", "note"])
def test_a_part_is_not_deleted_by_itself(bench: Bench, name: str) -> None:
    """A part is not deleted while its image stays, and is deleted together with it."""
    for each in ("amd64", "proof"):
        bench.put(each)
    index = bench.index("index", "1", of=("amd64",), proof="proof")
    bench.put("signature", index.replace(":", "-") + ".sig")
    bench.put("note", about="index")
    with pytest.raises(ImageInUse, match="it belongs to sha256:"):
        bench.kit.ecr.delete_images("app", [digest_of(name)], typed_name="app")
    done = bench.kit.ecr.delete_images("app", [digest_of(name), index], typed_name="app")
    assert digest_of(name) in done.deleted
    assert bench.left() == set()


def test_an_image_of_its_own_outlives_its_index(bench: Bench) -> None:
    """An image of a deleted index stays if it has its own tag or another index names it."""
    for name, tags in (("amd64", ("1-amd64",)), ("arm64", ()), ("riscv", ()), ("proof", ())):
        bench.put(name, *tags)
    old = bench.index("old", "1", of=("amd64", "arm64", "riscv"), proof="proof")
    new = bench.index("new", "2", of=("arm64",))
    done = bench.kit.ecr.delete_images("app", [old], typed_name="app")
    assert set(done.parts) == {digest_of("riscv"), digest_of("proof")}
    assert bench.left() == {digest_of("amd64"), digest_of("arm64"), new}


def test_a_signature_with_a_tag_of_its_own_stays_with_what_it_signs(bench: Bench) -> None:
    """A signature with a tag of its own, or for several images, stays when one signed image is deleted."""
    used, free = bench.put("used", "1"), bench.put("free", "2")
    both = bench.put("both", *(each.replace(":", "-") + ".sig" for each in (used, free)))
    tagged = bench.put("tagged", used.replace(":", "-") + ".att", "live")
    alone = bench.put("alone", digest_of("gone").replace(":", "-") + ".att", "old")
    bench.run(bench.store(f"{REGISTRY}/app@{used}"))
    assert bench.unused() == {free, alone}
    done = bench.kit.ecr.delete_images("app", [free, alone], typed_name="app")
    assert (set(done.deleted), done.parts) == ({free, alone}, ())
    assert bench.left() == {used, both, tagged}


def test_the_newest_are_images_and_nothing_else(bench: Bench) -> None:
    """Only images count among the newest, not signatures or the images of an index."""
    old, kept = bench.put("old", "1", days_old=9), bench.put("kept", "2", days_old=8)
    for name in ("amd64", "arm64"):
        bench.put(name, days_old=7)
    index = bench.index("index", "3", of=("amd64", "arm64"), days_old=7)
    for name in ("old", "kept", "index"):
        bench.put(f"signature of {name}", digest_of(name).replace(":", "-") + ".sig", days_old=1)
    assert bench.unused(keep_newest=2) == {old}
    assert bench.unused(keep_newest=1) == {old, kept}
    assert bench.kit.ecr.find_findings("app", "").digest == index


def test_what_was_pulled_lately_stays(bench: Bench) -> None:
    """An image that was pulled recently stays, also if it is pulled between the search and the deletion."""
    pulled, old = bench.put("pulled", pulled_days_ago=3), bench.put("old", pulled_days_ago=20)
    assert bench.unused() == {old}
    assert bench.unused(pulled_within_days=2) == {pulled, old}
    assert bench.unused(pulled_within_days=0) == {pulled, old}
    assert bench.kit.ecr.find_unused_images("app", keep_newest=0).kept_pulled == 1
    found = bench.kit.ecr.find_unused_images("app", keep_newest=0)
    bench.world.pulled_at[old] = bench.world.now
    with pytest.raises(ImageInUse, match="it was pulled meanwhile"):
        bench.kit.ecr.delete_images("app", found, typed_name="app")
    assert bench.kit.ecr.delete_images("app", [old], typed_name="app").deleted == (old,)
    with pytest.raises(InputError):
        bench.unused(pulled_within_days=-1)


def test_an_index_counts_as_pulled_when_its_image_was(bench: Bench) -> None:
    """An index counts as pulled when one of its images was, because reading the index is itself a pull to ECR."""
    bench.put("amd64", pulled_days_ago=20)
    bench.put("arm64", pulled_days_ago=2)
    first, second = bench.index("first", "1", of=("amd64",)), bench.index("second", "2", of=("arm64",))
    for digest in (first, second):
        bench.world.pulled_at[digest] = bench.world.now
    assert bench.unused() == {first}


def test_an_index_that_cannot_be_read_may_name_whatever_has_no_tag(bench: Bench) -> None:
    """An index that cannot be read may name any untagged image, so these are not deleted."""
    bench.put("untagged")
    tagged = bench.put("tagged", "2")
    index = bench.index("index", "1", of=("untagged",))
    bench.world.archived.add(index)
    assert bench.unused() == {tagged, index}
    with pytest.raises(ImageInUse, match=r"may belong to sha256:.*which cannot be read"):
        bench.kit.ecr.delete_images("app", [digest_of("untagged")], typed_name="app")


def test_what_ecr_keeps_takes_its_parts_with_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If ECR keeps an image, its parts are not deleted."""
    one = bench.put("one", "1")
    bench.put("signature", one.replace(":", "-") + ".sig")
    asked: list[list[str]] = []

    def kept(_: str, digests: list[str]) -> dict[str, str]:
        asked.append(digests)
        return dict.fromkeys(digests, "KmsError")

    monkeypatch.setattr(bench.to.ecr, "delete_images", kept)
    done = bench.kit.ecr.delete_images("app", [one], typed_name="app")
    assert (done.deleted, done.parts, dict(done.kept), done.changed) == ((), (), {one: "KmsError"}, False)
    assert asked == [[one]]


def test_a_repository_stays_while_anything_runs_of_it(bench: Bench) -> None:
    """A repository is not deleted while a service runs from it, even if its tag is gone."""
    bench.put("other")
    bench.run(bench.store(f"{DUAL_STACK}/app:gone"), days_ago=365)
    with pytest.raises(ImageInUse, match="service demo/web"):
        bench.kit.ecr.delete_repository("app", typed_name="app", with_images=True)
    assert bench.left()


def test_a_policy_that_would_expire_what_only_a_stored_deploy_names_says_so(bench: Bench) -> None:
    """A lifecycle plan says if a rule would expire an image that only a stored deploy uses."""
    stored = bench.put("stored", "1", days_old=80)
    bench.put("newest", "2", days_old=1)
    bench.store(f"{DUAL_STACK}/app:1", name="old")
    told = bench.kit.look.lifecycle_plan("app", keep_newest=1)
    assert f"would expire by rule 2: 1 {stored}; USED by deploy old.1" in told


def test_a_policy_that_would_expire_what_runs_says_so(bench: Bench) -> None:
    """A lifecycle plan says if a rule would expire an image that runs or may run, including images of an index."""
    bench.put("amd64", days_old=80)
    used = bench.index("used", "1", of=("amd64",), days_old=80)
    free = bench.put("free", "2", days_old=70)
    bench.put("newest", "3", days_old=1)
    bench.run(bench.store(f"{REGISTRY}/app@{used}"))
    lines = {line for line in bench.kit.look.lifecycle_plan("app", keep_newest=1) if "would expire" in line}
    assert {line for line in lines if "RUNS as service demo/web" not in line} == {
        f"would expire by rule 2: 2 {free}"
    }
    assert any(used in line for line in lines)
    assert any(f"{digest_of('amd64')}; RUNS as service demo/web, through {used}" in line for line in lines)
    bench.to.layer0.delete_deploy("web.1")
    told = bench.kit.look.lifecycle_plan("app", keep_newest=1)
    assert told[-1] == (
        "what runs is not known: service demo/web runs deploy web.1, which is no longer stored"
    )


def test_a_policy_shows_what_goes_with_an_image_and_what_it_takes_from_one(bench: Bench) -> None:
    """A lifecycle plan shows signatures that expire with their image or without it, and that ECR counts them as images."""
    old = bench.put("old", "1", days_old=80)
    of_old = bench.put("signature of old", old.replace(":", "-") + ".sig", days_old=80)
    kept = bench.put("kept", "2", days_old=60)
    of_kept = bench.put("statement about kept", days_old=70)
    bench.world.subjects[of_kept] = kept
    late = bench.put("late statement about old", days_old=1)
    bench.world.subjects[late] = old
    told = bench.kit.look.lifecycle_plan("app", keep_newest=2)
    lines = [line for line in told if "would expire" in line]
    assert [line.partition("sha256:")[0] for line in lines] == [
        "would expire by rule 2: (untagged) ",
        "would expire by rule 2: 1 ",
    ]
    assert f"{of_kept}; it is a part (referrer) of 2, which STAYS" in lines[0]
    assert f"{old}; with 2 that belong to it (referrer, signature)" in lines[1]
    assert not any(of_old in line for line in lines)
    assert (
        "ECR counts the 3 signatures, attestations and other referrers here as images, so fewer images stay"
        in told
    )


def test_what_is_said_about_an_image_is_no_image_of_a_repository(bench: Bench) -> None:
    """Signatures and statements are not counted as images, nor suggested as tags."""
    one = bench.put("one", "1")
    bench.put("signature", one.replace(":", "-") + ".sig")
    bench.world.subjects[bench.put("statement")] = one
    with pytest.raises(ImageNotFound) as error:
        bench.kit.ecr.tag_image("app", one.replace(":", "-"), "2")
    assert ".sig" not in str(error.value)
    with pytest.raises(RegistryError, match="holds 1 images"):
        bench.kit.ecr.delete_repository("app", typed_name="app")
    assert bench.kit.ecr.delete_repository("app", typed_name="app", with_images=True).images == 1
