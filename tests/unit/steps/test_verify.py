"""The final check of a release: what runs is the pushed digest, and the registry serves it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecr_widgets.errors import VerifyError
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.deploy_service import DeployService, ServiceOutcome
from ecr_widgets.steps.push_image import PushOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.verify import Verify, VerifyOutcome
from ecr_widgets.steps.wait import Wait
from tests.fakes import REGISTRY, World, digest_of
from tests.fakes.connections import FakeConnections, perform
from tests.unit.steps.deployed import IMAGE, OTHER, deployed, stored


@pytest.fixture(autouse=True)
def served(to: FakeConnections, world: World) -> None:
    """Let the registry serve this image and no other."""
    to.ecr.create_repository("xfra-wait", tags_immutable=False, scan_on_push=False)
    world.manifests.add(("xfra-wait", IMAGE.digest or ""))


def verify(outside: Outside, service: ServiceOutcome, image: ImageReference | None) -> VerifyOutcome:
    """Verify that the service runs the image as pushed, or if None the one that its deploy pins."""
    pushed = None if image is None else PushOutcome(image, image.digest or "", "1", changed=True)
    return perform(Verify(service, pushed), outside)


def test_verify_finds_the_pushed_digest_running(outside: Outside) -> None:
    """Verify finds the pushed digest in the running deploy and in the registry."""
    service = deployed(outside)
    perform(Wait(service), outside)
    outcome = verify(outside, service, IMAGE)
    assert (outcome.running_digest, outcome.registry_digest) == (IMAGE.digest, IMAGE.digest)


ODD = (
    '{{"containerdefinitions": [{{"image": "{image}", "environment": [{{"name": "A"}}, {{"name": "A"}}]}}]}}'
)
"""Stored by other tools: this kit writes no such Dockerrun."""


@pytest.mark.parametrize("host", [REGISTRY, "111222333444.dkr-ecr.us-east-1.on.aws"])
@pytest.mark.parametrize("image", [IMAGE, None], ids=["named", "not named"])
def test_a_service_that_runs_well_is_no_alarm(
    outside: Outside, to: FakeConnections, host: str, image: ImageReference | None
) -> None:
    """Verify accepts odd Dockerruns and any host name of the registry, as long as the image is the pushed one."""
    document = ODD.format(image=f"{host}/xfra-wait@{IMAGE.digest}")
    deploy = to.layer0.create_deploy("odd", document.encode())
    service = perform(DeployService("demo", "odd", deploy.deploy_id), outside)
    perform(Wait(service), outside)
    found = verify(outside, service, image)
    assert (found.image, found.running_digest) == (IMAGE, IMAGE.digest)


def test_verify_refuses_another_digest(outside: Outside) -> None:
    """Verify refuses a service that runs another image of the same name."""
    service = deployed(outside)
    perform(Wait(service), outside)
    with pytest.raises(VerifyError, match="not .*" + str(OTHER.digest)):
        verify(outside, service, OTHER)


def test_verify_proves_nothing_of_a_tag(outside: Outside) -> None:
    """An image without a digest cannot be verified."""
    with pytest.raises(VerifyError, match="no digest"):
        verify(outside, deployed(outside), ImageReference.parse(f"{REGISTRY}/xfra-wait:1"))


def test_what_a_deploy_names_by_digest_can_be_verified(outside: Outside) -> None:
    """Without an image, verify takes the digest from the deploy; it refuses a deploy without one, or another deploy."""

    def brought_to(image: ImageReference | str) -> ServiceOutcome:
        service = perform(DeployService("demo", "timeoutsvc", stored(outside, image)), outside)
        perform(Wait(service, timeout_s=60), outside)
        return service

    service = brought_to(IMAGE)
    assert verify(outside, service, None).running_digest == digest_of("a")
    with pytest.raises(VerifyError, match=r"is on timeout\.1, not on other\.1"):
        verify(outside, replace(service, deploy_id="other.1"), None)
    for image, why in (
        (f"{REGISTRY}/xfra-wait:latest", "names no digest"),
        ("busybox", "runs no image of"),
    ):
        with pytest.raises(VerifyError, match=why):
            verify(outside, brought_to(image), None)
