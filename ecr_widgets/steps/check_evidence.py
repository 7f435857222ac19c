"""Check against the policy whether an image may run in an environment, or be copied to a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EntityNotFound, InvalidDockerrun
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import Service
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.evidence_gate import REFUSED, GateOutcome, Place, examine, refusal
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.service_lookup import find_service
from ecr_widgets.steps.step import NOT_YET, Look, if_given, unrecorded


@dataclass(frozen=True)
class CheckEvidence(Look[GateOutcome]):
    """Check images against the policy that ECR_WIDGETS_POLICY names, and refuse what does not meet it.

    The steps that change what runs do this themselves.

    Args:
        environment: Where the image is to run; empty for a copy.

        image: By digest.

        deploy_id: Stored deploy, all of whose images are checked.

        to_repository: Where the image is to be copied, with its registry in front.

        warns_only: Whether an unmet rule is only a warning.

    Raises:
        GateRefused: A rule is not met, or it is not known whether it is.
    """

    environment: str = ""
    _: KW_ONLY
    image: ImageReference | str = if_given("")
    deploy_id: str = if_given("")
    to_repository: str = if_given("")
    warns_only: bool = unrecorded(default=False)

    def look(self, outside: Outside, progress: ProgressSink) -> GateOutcome:
        registry, _, repository = self.to_repository.partition("/")
        place = Place(self.environment, repository, registry)
        if not outside.connections.gate.is_set:
            return GateOutcome("no policy")
        return examine(outside, place, lambda: self._images(outside), warns_only=self.warns_only)

    def _images(self, outside: Outside) -> Iterator[ImageReference]:
        if self.image and NOT_YET not in str(self.image):
            yield ImageReference.parse(str(self.image))
        if not self.deploy_id or self.deploy_id == NOT_YET:
            return
        services = outside.services_of(self.environment)
        document = services.read_deploy(self.deploy_id).dockerrun
        if document is None:
            raise InvalidDockerrun(f"deploy {self.deploy_id} has no content")
        for container in Dockerrun.stored(document, services.dialect()).containers:
            yield ImageReference.parse(container.image)

    def learned(self, found: GateOutcome) -> tuple[str, Mapping[str, Any]]:
        if found.decision != REFUSED:
            return self.step, {}
        # A step that fails has no outcome.
        return self.step, {
            "policy_sha256": found.policy_sha256,
            "images": found.images,
            "evidence": found.evidence,
        }

    def act(self, outside: Outside, found: GateOutcome, progress: ProgressSink) -> GateOutcome:
        if found.decision == REFUSED:
            raise refusal(self.environment or self.to_repository, found)
        return found


def check_current_deploy(
    outside: Outside, environment: str, service: str, starts: Callable[[Service], bool]
) -> CheckEvidence | None:
    """The check of the deploy that a service is on, before a step starts copies of it.

    Args:
        starts: Returns whether the step starts a deploy that does not run yet.

    Returns:
        None if nothing is started, or if the service has no deploy or does not exist, which the step's look reports.
    """
    if outside.service_key(environment, service) in outside.planned:
        return None  # the plan has checked it before it moved the service
    with suppress(EntityNotFound):
        _, found = find_service(outside.services_of(environment), environment, service)
        if found is not None and found.primary is not None and starts(found):
            return CheckEvidence(environment, deploy_id=found.primary.deploy_id)
    return None
