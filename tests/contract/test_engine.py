"""One set of cases for the Docker Engine: in memory and a real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ecr_widgets.errors import (
    AuthorizationError,
    BuildError,
    ImageNotFound,
    PushError,
    RepositoryNotFound,
    TagImmutable,
)
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import Progress, ignore_progress
from tests.contract.conftest import Ports


def build(ports: Ports, context: Path, *tags: str) -> str:
    return ports.engine.build(
        context, dockerfile="Dockerfile", tags=tags, build_args={}, progress=ignore_progress
    )


def test_a_build_gives_an_id_that_all_its_names_lead_to(ports: Ports, context: Path) -> None:
    """Every tag is set, and progress is told."""
    told: list[Progress] = []
    built = ports.engine.build(
        context,
        dockerfile="Dockerfile",
        tags=("contract/one:1", "contract/two:2"),
        build_args={},
        progress=told.append,
    )
    assert [ports.engine.find_image_id(each) for each in (built, "contract/one:1", "contract/two:2")] == [
        built
    ] * 3
    assert told
    assert ports.engine.find_image_id("contract/nobody:1") is None


def test_a_build_without_its_dockerfile_is_refused(ports: Ports, tmp_path: Path) -> None:
    """The error names the file that is missing."""
    with pytest.raises(BuildError, match="Dockerfile"):
        build(ports, tmp_path)


def test_the_digest_of_a_push_is_the_registrys_own(ports: Ports, context: Path) -> None:
    """Engine and registry agree, and the engine remembers where it pushed to."""
    image = ports.pushed("contract/pushed", context)
    token = ports.ecr.authorization_token()
    tagged = image.with_tag("1")
    assert ports.registry.find_digest(tagged, token) == image.digest
    known = {(each.name, each.digest) for each in ports.engine.pushed_digests(str(tagged))}
    assert (image.name, image.digest) in known


def test_a_pull_brings_back_what_was_pushed(ports: Ports, context: Path) -> None:
    """By digest, the image has the id that was built."""
    image = ports.pushed("contract/pulled", context)
    token = ports.ecr.authorization_token()
    built = ports.engine.find_image_id(str(image.with_tag("1")))
    assert ports.engine.pull(image, token, progress=ignore_progress) == built
    with pytest.raises(ImageNotFound):
        ports.engine.pull(image.with_tag("nobody"), token, progress=ignore_progress)


def test_a_push_that_the_registry_refuses_says_which_refusal(ports: Ports, context: Path) -> None:
    """Wrong password, missing repository and an immutable tag are told apart."""
    ports.ecr.create_repository("contract/immutable", tags_immutable=True, scan_on_push=False)
    token = ports.ecr.authorization_token()
    target = ImageReference.parse(f"{token.registry}/contract/immutable:1")
    nobody = ImageReference.parse(f"{token.registry}/contract/nobody:1")
    first = build(ports, context)
    for each in (target, nobody):
        ports.engine.tag(first, each)
    with pytest.raises(AuthorizationError):
        ports.engine.push(target, replace(token, password="wrong-password"), progress=ignore_progress)
    with pytest.raises(RepositoryNotFound):
        ports.engine.push(nobody, token, progress=ignore_progress)
    ports.engine.push(target, token, progress=ignore_progress)
    (context / "Dockerfile").write_text("FROM busybox\nLABEL another=image\n")
    ports.engine.tag(build(ports, context), target)
    with pytest.raises(TagImmutable):
        ports.engine.push(target, token, progress=ignore_progress)


def test_a_name_without_a_tag_is_not_pushed(ports: Ports) -> None:
    """An engine would push every tag there is."""
    token = ports.ecr.authorization_token()
    with pytest.raises(PushError, match="no tag"):
        ports.engine.push(
            ImageReference.parse(f"{token.registry}/contract/any"), token, progress=ignore_progress
        )


def test_an_image_that_is_not_there_cannot_be_named(ports: Ports) -> None:
    """Nor has it been pushed anywhere."""
    with pytest.raises(ImageNotFound):
        ports.engine.tag("contract/nobody:1", ImageReference.parse("contract/other:1"))
    assert ports.engine.pushed_digests("contract/nobody:1") == ()


def test_an_image_in_the_registry_tells_its_platform(ports: Ports, context: Path) -> None:
    """Read from its configuration by digest, no pull needed; an image that is not there is an error."""
    image = ports.pushed("contract/details", context)
    token = ports.ecr.authorization_token()
    assert ports.registry.read_details(image, token) == ImageDetails("linux/amd64")
    with pytest.raises(ImageNotFound):
        ports.registry.read_details(image.with_digest("sha256:" + "0" * 64), token)
