"""Indexes, referrers and deletions in the sandbox's ECR, as ECR has them; and a clean-up over them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from ecr_widgets import connect
from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.model.registry import Child

IMAGE, INDEX = (f"application/vnd.oci.image.{kind}.v1+json" for kind in ("manifest", "index"))
CONFIG = "application/vnd.oci.image.config.v1+json"


class Store:
    """One repository, filled by ECR's own call."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ecr: Any = BotoEcr()._ecr
        self.ecr.create_repository(repositoryName=name)

    def put(self, document: dict[str, Any], tag: str | None = None) -> str:
        """A manifest, and its digest."""
        text = json.dumps({"schemaVersion": 2, **document})
        asked = {"imageTag": tag} if tag else {}
        self.ecr.put_image(
            repositoryName=self.name,
            imageManifest=text,
            imageManifestMediaType=document["mediaType"],
            **asked,
        )
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def image(self, name: str, tag: str | None = None, **more: Any) -> str:
        """An image of its own."""
        config = {
            "mediaType": CONFIG,
            "digest": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}",
            "size": 1,
        }
        return self.put({"mediaType": IMAGE, "config": config, "layers": []} | more, tag)

    def index(self, children: list[str], tag: str | None = None) -> str:
        """An index of images for one platform."""
        platform = {"os": "linux", "architecture": "amd64"}
        entries = [{"mediaType": IMAGE, "digest": each, "size": 1, "platform": platform} for each in children]
        return self.put({"mediaType": INDEX, "manifests": entries}, tag)

    def delete(self, *image_ids: dict[str, str]) -> tuple[list[str], list[str]]:
        """What was deleted, and the failure codes."""
        told = self.ecr.batch_delete_image(repositoryName=self.name, imageIds=list(image_ids))
        return (
            [each.get("imageTag", each["imageDigest"]) for each in told["imageIds"]],
            [each["failureCode"] for each in told["failures"]],
        )


@pytest.fixture
def store(
    sandbox_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Store]:
    for name, value in sandbox_environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    made = Store(f"images/{request.node.name.replace('_', '-')[:60]}")
    yield made
    made.ecr.delete_repository(repositoryName=made.name, force=True)


def test_what_ecr_refuses_to_delete_is_refused(store: Store) -> None:
    """The images of an index while it is there, tags of other images, and ids that are none; the rest of a call goes on."""
    child, other = store.image("child", "1-amd64"), store.image("other", "2")
    index = store.index([child], "1")
    assert store.delete({"imageDigest": child}) == ([], ["ImageReferencedByManifestList"])
    assert store.delete({"imageTag": "1-amd64"}) == ([], ["ImageReferencedByManifestList"])
    assert store.delete({"imageDigest": other, "imageTag": "1"}) == ([], ["ImageTagDoesNotMatchDigest"])
    assert store.delete({}, {"imageDigest": "sha256:12"}, {"imageTag": "nobody"}) == (
        [],
        ["MissingDigestAndTag", "InvalidImageDigest", "ImageNotFound"],
    )
    with pytest.raises(store.ecr.exceptions.InvalidParameterException):
        store.delete(*[{"imageTag": f"{number}"} for number in range(101)])
    assert store.delete({"imageDigest": child}, {"imageDigest": index}, {"imageDigest": child}) == (
        ["1", "1-amd64"],
        ["ImageReferencedByManifestList"],
    )


def test_a_tag_goes_alone_while_the_image_has_others(store: Store) -> None:
    """The last one takes the image with it."""
    digest = store.image("one", "1")
    BotoEcr().tag_image(store.name, digest, "2")
    assert store.delete({"imageTag": "1"}) == (["1"], [])
    assert [each.tags for page in BotoEcr().list_images(store.name) for each in page] == [("2",)]
    assert store.delete({"imageTag": "2"}) == (["2"], [])
    assert BotoEcr().find_image(store.name, digest) is None


def test_lists_tell_what_a_referrer_is_about(store: Store) -> None:
    """And what kind of artifact each is; reading an index counts as a pull of it."""
    image = store.image("signed", "1")
    subject = {"mediaType": IMAGE, "digest": image, "size": 1}
    note = store.image("note", subject=subject, artifactType="application/vnd.test.note")
    index = store.index([image], "2")
    ecr = BotoEcr()
    found = {each.digest: each for page in ecr.list_images(store.name) for each in page}
    assert (found[note].subject, found[note].artifact_type) == (image, "application/vnd.test.note")
    assert (found[image].subject, found[image].artifact_type) == (None, CONFIG)
    assert found[index].is_index
    gone = "sha256:" + "0" * 64
    assert ecr.read_indexes(store.name, [index, image, gone]) == {
        index: (Child(image, "linux/amd64"),),
        image: (),
    }
    read = ecr.find_image(store.name, index)
    assert read is not None
    assert read.last_pulled_at is not None


def test_referrers_are_listed_by_ecrs_own_call(store: Store) -> None:
    """By subject, in pages, and by type where asked; a digest that is none and a page that is too long are refused."""
    image, other = store.image("signed", "1"), store.image("other", "2")
    subject = {"mediaType": IMAGE, "digest": image, "size": 1}
    kinds = ["application/vnd.test.note", "application/vnd.test.note", "application/vnd.test.seal"]
    notes = [
        store.image(f"note {n}", subject=subject, artifactType=kind, annotations={"n": str(n)})
        for n, kind in enumerate(kinds)
    ]
    asked = {"repositoryName": store.name, "subjectId": {"imageDigest": image}}
    first = store.ecr.list_image_referrers(**asked, maxResults=2)
    second = store.ecr.list_image_referrers(**asked, maxResults=2, nextToken=first["nextToken"])
    entries = first["referrers"] + second["referrers"]
    assert [each["digest"] for each in entries] == notes
    assert "nextToken" not in second
    assert {name: entries[2][name] for name in ("artifactType", "artifactStatus", "annotations")} == {
        "artifactType": kinds[2],
        "artifactStatus": "ACTIVE",
        "annotations": {"n": "2"},
    }
    by_type = store.ecr.list_image_referrers(**asked, filter={"artifactTypes": kinds[2:]})
    assert [each["digest"] for each in by_type["referrers"]] == notes[2:]
    of_other = asked | {"subjectId": {"imageDigest": other}}
    assert store.ecr.list_image_referrers(**of_other)["referrers"] == []
    for wrong in ({"subjectId": {"imageDigest": "sha256:12"}}, {"maxResults": 51}):
        with pytest.raises((store.ecr.exceptions.InvalidParameterException, ParamValidationError)):
            store.ecr.list_image_referrers(**asked | wrong)


def test_manifests_that_ecrs_parser_refuses_are_refused(store: Store) -> None:
    """Data in a descriptor and notes on the configuration, which the specification allows, are not JSON to ECR."""
    config = {"mediaType": CONFIG, "digest": "sha256:" + "0" * 64, "size": 2}
    refused = store.ecr.exceptions.InvalidParameterException
    for more in ({"data": "e30="}, {"annotations": {}}):
        with pytest.raises(refused, match="Invalid JSON syntax"):
            store.image("odd", config=config | more)


def test_a_policy_does_not_expire_the_images_of_an_index_that_stays(store: Store) -> None:
    """They expire with it."""
    child = store.image("child")
    policy = json.dumps(
        {
            "rules": [
                {
                    "rulePriority": 1,
                    "selection": {
                        "tagStatus": "untagged",
                        "countType": "imageCountMoreThan",
                        "countNumber": 1,
                    },
                    "action": {"type": "expire"},
                }
            ]
        }
    )
    store.index([child], "1")
    other = store.image("other")
    store.image("newest")
    expiring = BotoEcr().preview_lifecycle_policy(store.name, policy)
    assert [each.digest for each in expiring] == [other]


def test_a_clean_up_takes_an_image_with_all_of_its_own(store: Store) -> None:
    """An index, its images, its signature and a referrer in one go, none left behind and none refused."""
    used, child = store.image("used", "keep"), store.image("child")
    index = store.index([child], "1")
    store.image("signature", index.replace(":", "-") + ".sig")
    store.image("note", subject={"mediaType": INDEX, "digest": index, "size": 1})
    kit = connect()
    image = f"{kit.look.registry()}/{store.name}@{used}"
    document = {"containerDefinitions": [{"name": "a", "image": image, "memory": 16}]}
    deploy = kit._outside.layer0.create_deploy("images", json.dumps(document).encode())
    try:
        found = kit.ecr.find_unused_images(store.name, keep_newest=0, older_than_days=0)
        done = kit.ecr.delete_images(store.name, found, typed_name=store.name)
        assert ([image.digest for image in found.deletable], found.parts) == ([index], 3)
        assert (done.deleted, len(done.parts), dict(done.kept)) == ((index,), 3, {})
        assert [each.digest for page in kit.look.images(store.name) for each in page] == [used]
    finally:
        kit._outside.layer0.delete_deploy(deploy.deploy_id)
