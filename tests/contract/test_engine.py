"""One set of cases for the Docker Engine: in memory and a real one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ecr_widgets.errors import (
    AuthorizationError,
    ImageNotFound,
    PushError,
    RepositoryNotFound,
    TagImmutable,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import Progress, ignore_progress
from ecr_widgets.steps.pull_image import PullImage, PullOutcome
from ecr_widgets.steps.push_image import PushImage
from ecr_widgets.steps.shared.registry_session import RegistrySession
from tests.contract.conftest import Ports
from tests.fakes.connections import perform


def build(ports: Ports, context: Path, *tags: str) -> str:
    return ports.engine.build(
        find_context(context, "Dockerfile"),
        options=BuildOptions(),
        tags=tags,
        logins=(),
        progress=ignore_progress,
    )


def pull(ports: Ports, image: ImageReference) -> PullOutcome:
    """Pull as the step does, which resolves a tag first."""
    return perform(PullImage(image.repository, image.digest or image.tag or ""), ports.outside)


def test_a_build_gives_an_id_that_all_its_names_lead_to(ports: Ports, context: Path) -> None:
    """A build returns the id that all its tags lead to, and reports progress."""
    told: list[Progress] = []
    built = ports.engine.build(
        find_context(context, "Dockerfile"),
        options=BuildOptions(),
        tags=("contract/one:1", "contract/two:2"),
        logins=(),
        progress=told.append,
    )
    assert [ports.engine.find_image_id(each) for each in (built, "contract/one:1", "contract/two:2")] == [
        built
    ] * 3
    assert told
    held = ports.engine.look_at("contract/one:1")
    assert held is not None
    assert (held.image_id, bool(held.is_index)) == (built, False)
    assert not ports.engine.holds_index(built)
    assert ports.engine.find_image_id("contract/nobody:1") is None
    assert ports.engine.look_at("contract/nobody:1") is None
    assert ports.engine.look_at("<no name>") is None


def test_the_digest_of_a_push_is_the_registrys_own(ports: Ports, context: Path) -> None:
    """A push returns the digest that the registry serves, and pushing the same image again changes nothing."""
    image = ports.pushed("contract/pushed", context)
    token = ports.ecr.authorization_token()
    tagged = image.with_tag("1")
    assert ports.registry.find_digest(tagged, token) == image.digest
    for source in (str(tagged), ports.engine.find_image_id(str(tagged)) or ""):
        again = ports.push(source, tagged)
        assert (again.digest, again.changed) == (image.digest, False)


def test_the_same_image_has_one_digest_in_every_repository(ports: Ports, context: Path) -> None:
    """An image has the same digest under every tag and in every repository; moving a tag away and back changes it each time."""
    first = ports.pushed("contract/first", context)
    built = ports.engine.find_image_id(str(first.with_tag("1"))) or ""
    ports.ecr.create_repository("contract/second", tags_immutable=False, scan_on_push=False)
    second = ImageReference.parse(f"{first.registry}/contract/second:1")
    for target in (first.with_tag("2"), second):
        pushed = ports.push(built, target)
        assert (pushed.digest, pushed.changed, pushed.note) == (first.digest, True, "")
    (context / "Dockerfile").write_text(f"FROM busybox\nLABEL moved={context.parent.name}\n")
    moved = ports.push(build(ports, context), second)
    assert moved.changed
    assert moved.digest != first.digest
    assert ports.push(built, second).changed
    assert ports.registry.find_digest(second, ports.session.token()) == first.digest


def test_a_pull_brings_back_what_was_pushed(ports: Ports, context: Path) -> None:
    """A pull by tag or digest returns the id that was built and the registry's digest; a missing tag is an error."""
    image = ports.pushed("contract/pulled", context)
    built = ports.engine.find_image_id(str(image.with_tag("1")))
    for asked in (image, image.with_tag("1")):
        pulled = pull(ports, asked)
        assert (pulled.image, pulled.image_id) == (image, built)
        assert not pull(ports, asked).changed
    with pytest.raises(ImageNotFound):
        pull(ports, image.with_tag("nobody"))
    with pytest.raises(ImageNotFound):
        ports.engine.pull(image.with_tag("nobody"), ports.session.token(), progress=ignore_progress)


def test_what_was_pulled_by_an_index_is_pushed_as_that_index(ports: Ports, context: Path) -> None:
    """An image that was pulled by an index is pushed as the whole index."""
    first = ports.pushed("contract/index", context)
    (context / "Dockerfile").write_text(f"FROM busybox\nLABEL second={context.parent.name}\n")
    second = ports.push(build(ports, context), first.with_tag("2")).image
    index = ports.put_index(first, second, tag="multi")
    ports.ecr.create_repository("contract/index-copy", tags_immutable=True, scan_on_push=False)
    target = ImageReference.parse(f"{first.registry}/contract/index-copy:1")
    tagged = first.with_tag("multi")
    pulled = pull(ports, tagged)
    assert pulled.image == index
    pushed = ports.push(str(tagged), target)
    assert (pushed.digest, pushed.changed) == (index.digest, True)
    assert "with all its images" in pushed.note
    assert not ports.push(str(tagged), target).changed
    token = ports.session.token()
    assert [child.digest for child in ports.registry.read_details(pushed.image, token).children] == [
        first.digest,
        second.digest,
    ]


def test_a_push_that_the_registry_refuses_says_which_refusal(ports: Ports, context: Path) -> None:
    """A missing repository and an immutable tag give different errors, and a refused token is renewed once."""
    ports.ecr.create_repository("contract/immutable", tags_immutable=True, scan_on_push=False)
    registry = ports.session.token().registry
    target = ImageReference.parse(f"{registry}/contract/immutable:1")
    first = build(ports, context)
    with pytest.raises(RepositoryNotFound):
        ports.push(first, ImageReference.parse(f"{registry}/contract/nobody:1"))
    pushed = ports.push(first, target)
    (context / "Dockerfile").write_text(f"FROM busybox\nLABEL another={context.parent.name}\n")
    other = build(ports, context)
    with pytest.raises(TagImmutable, match=f"names {pushed.digest}") as caught:
        ports.push(other, target)
    assert caught.value.standing == pushed.digest
    assert ports.push(other, target.with_tag("2")).changed
    wrong = replace(ports.session.token(), password="wrong-password")
    ports.session._token = wrong
    (context / "Dockerfile").write_text(f"FROM busybox\nLABEL third={context.parent.name}\n")
    assert ports.push(build(ports, context), target.with_tag("3")).changed
    assert ports.session.token() != wrong
    with pytest.raises(AuthorizationError):
        push_image_with(ports, wrong, other, target)


def push_image_with(ports: Ports, token: AuthorizationToken, source: str, target: ImageReference) -> None:
    """Push with a token that stays wrong after renewal."""
    session = RegistrySession(ports.ecr, ports.clock)
    session._token = token
    session.renew = lambda: token  # type: ignore[method-assign]
    step = PushImage(source, repository=target.repository, tag=target.tag or "")
    perform(step, replace(ports.outside, _sessions={("", ""): session}))


def test_a_name_without_a_tag_is_not_pushed(ports: Ports) -> None:
    """A reference without a tag is not pushed, because an engine would push all tags."""
    token = ports.ecr.authorization_token()
    with pytest.raises(PushError, match="no tag"):
        ports.engine.push(
            ImageReference.parse(f"{token.registry}/contract/any"), token, progress=ignore_progress
        )


def test_an_image_that_is_not_there_cannot_be_named(ports: Ports) -> None:
    """Tagging an image that does not exist is an error."""
    with pytest.raises(ImageNotFound):
        ports.engine.tag("contract/nobody:1", ImageReference.parse("contract/other:1"))
    assert ports.engine.look_at("contract/nobody:1") is None


def test_an_image_in_the_registry_tells_its_platform(ports: Ports, context: Path) -> None:
    """An image's platform is read from the registry without a pull; a missing image is an error."""
    image = ports.pushed("contract/details", context)
    token = ports.ecr.authorization_token()
    assert ports.registry.read_details(image, token) == ImageDetails("linux/amd64")
    with pytest.raises(ImageNotFound):
        ports.registry.read_details(image.with_digest("sha256:" + "0" * 64), token)
