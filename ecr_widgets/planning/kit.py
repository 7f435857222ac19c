"""The kit's own steps as a plan.

What comes out of a build is not known before it; from there on images are named by tag, never by a made-up digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from ecr_widgets.approved_files import context_sha256, file_sha256
from ecr_widgets.dockerrun.diff import diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.kit.check_target import look_at_image
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildWishes
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import ImageReference, check_repository_name
from ecr_widgets.model.layer0 import check_deploy_name
from ecr_widgets.model.tag_rule import read_exceptions
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.planning.ecr import EcrPlan
from ecr_widgets.planning.guard import NOT_YET
from ecr_widgets.planning.layer0 import Layer0Plan
from ecr_widgets.steps import deploy_service as services
from ecr_widgets.steps.build_image import BuildOutcome, secrets_of
from ecr_widgets.steps.copy_image import CopyOutcome
from ecr_widgets.steps.create_deploy import DeployOutcome, stored_dockerruns
from ecr_widgets.steps.create_repository import RepositoryOutcome, missing, outcome_of
from ecr_widgets.steps.create_task import EnvVars, TaskOutcome
from ecr_widgets.steps.pull_image import PullOutcome
from ecr_widgets.steps.push_image import PushOutcome
from ecr_widgets.steps.rollback import RollbackOutcome, require_earlier
from ecr_widgets.steps.service_balancer import balancer_for
from ecr_widgets.steps.verify import VerifyOutcome
from ecr_widgets.steps.wait import WaitOutcome

_NO_IMAGE = ImageReference(None, NOT_YET.replace(" ", "-"))
"""Where only the run will tell which image it is."""


class PlanKit(NotebookKit):
    """The steps as a plan: the same calls, the same records, nothing changed."""

    @cached_property
    def _would_push(self) -> dict[tuple[str, str], PushOutcome]:
        """By repository and tag."""
        return {}

    @property
    def layer0(self) -> Layer0Plan:
        """Layer0's other steps, those that can be planned."""
        return Layer0Plan(self._to, self._recorder, self._targets)

    @property
    def ecr(self) -> EcrPlan:
        """The upkeep of repositories and images."""
        return EcrPlan(self._to, self._recorder, self._targets, self._session)

    def create_repository(
        self,
        repository: str,
        *,
        create: bool = True,
        tags_immutable: bool = False,
        scan_on_push: bool = True,
        encryption: str = "",
        kms_key: str = "",
        tag_exceptions: str | Sequence[str] = "",
        profile: str = "",
        region: str = "",
    ) -> RepositoryOutcome:
        """Say whether the repository stands, and fail where it stands with another encryption."""
        repository = self.ecr.session_of(profile, region).repository(repository)
        exceptions = read_exceptions(tag_exceptions)

        def look() -> RepositoryOutcome:
            wanted = Encryption.parse(encryption, kms_key)
            ecr = self.ecr.ecr_of(profile, region)
            standing = ecr.find_repository(check_repository_name(repository))
            if standing is not None:
                return outcome_of(standing, wanted, changed=False)
            if not create:
                raise missing(repository)
            return RepositoryOutcome(
                repository,
                f"{self.ecr.session_of(profile, region).token().registry}/{repository}",
                tags_immutable,
                scan_on_push,
                changed=True,
                encryption=encryption or None,
                kms_key=kms_key or None,
                tag_exceptions=exceptions,
            )

        inputs = {"repository": repository, "create": create}
        asked = {"encryption": encryption, "kms_key": kms_key, "profile": profile, "region": region}
        inputs |= {name: value for name, value in asked.items() if value}
        inputs |= {"tag_exceptions": exceptions} if exceptions else {}
        return self._recorder.plan("create_repository", inputs, look)

    def build_image(
        self,
        context: str | Path,
        *,
        name: str,
        dockerfile: str = "Dockerfile",
        **wishes: Unpack[BuildWishes],
    ) -> BuildOutcome:
        """Say what would be built and by what, from files that are there."""
        image = str(ImageReference.parse(name))
        options = self._build_options(dockerfile, wishes)

        def look() -> dict[str, Any]:
            found = find_context(self._find(context), dockerfile)
            secrets_of(options)
            # What is approved is this content: the image's id is not known before the build.
            return {
                "image": image,
                "image_id": NOT_YET,
                "context_sha256": context_sha256(found),
                "builder": self._to.engine.check_build(found, options),
                "changed": True,
            }

        inputs = {
            "context": str(context),
            "dockerfile": dockerfile,
            "name": name,
            "build_args": sorted(options.build_args),
            **options.given(),
        }
        self._recorder.plan("build_image", inputs, look)
        return BuildOutcome(image, NOT_YET, changed=True)

    def push_image(self, image: BuildOutcome | str, *, repository: str, tag: str) -> PushOutcome:
        """Say what stands under the tag that would be set."""
        repository = self._session.repository(repository)

        def look() -> dict[str, Any]:
            reference = self.image_reference(repository, tag=tag)
            return {
                "image": reference,
                "digest": NOT_YET,
                "replaces": look_at_image(self._to, self._targets, self._session, reference),
                "changed": True,
            }

        source = image.image if isinstance(image, BuildOutcome) else image
        self._recorder.plan("push_image", {"source": source, "repository": repository, "tag": tag}, look)
        planned = PushOutcome(self.image_reference(repository, tag=tag), NOT_YET, tag, changed=True)
        self._would_push[repository, tag] = planned
        return planned

    def find_image(self, repository: str, reference: str) -> PushOutcome:
        """Look at an image, or say that this plan's own push would make it."""
        repository = self._session.repository(repository)
        planned = self._would_push.get((repository, reference))
        if planned is None:
            return super().find_image(repository, reference)
        return self._recorder.plan(
            "find_image",
            {"repository": repository, "reference": reference},
            lambda: replace(planned, changed=False),
        )

    def pull_image(self, repository: str, reference: str) -> PullOutcome:
        """Say whether the engine has the image."""
        repository = self._session.repository(repository)

        def look() -> PullOutcome:
            image = self.image_reference(repository, tag=reference)
            known = self._to.engine.find_image_id(str(image))
            return PullOutcome(image, known or NOT_YET, changed=known is None)

        return self._recorder.plan("pull_image", {"repository": repository, "reference": reference}, look)

    def create_deploy(
        self,
        name: str,
        dockerrun: str | Path,
        *,
        image: ImageReference | str,
        container: str | None = None,
        variables: Mapping[str, object] | None = None,
    ) -> DeployOutcome:
        """Say whether an equal Dockerrun is stored, and else how the wanted one differs from the newest."""
        wanted_image = ImageReference.parse(str(image))
        found: dict[str, DeployOutcome] = {}

        def look() -> dict[str, Any]:
            check_deploy_name(name)
            file = self._read(dockerrun)
            # What is approved is this file, too: image and variables are not all known before the run.
            looked_at = {"file_sha256": file_sha256(file)}
            read = self._dockerrun(dockerrun, file, container, variables)
            wanted = read.with_image(wanted_image, container=container)
            content = wanted.content_sha256()
            warned = {"warnings": wanted.warnings()} if wanted.warnings() else {}
            newest: Dockerrun | None = None
            for stored, held in stored_dockerruns(self._to.layer0, name):
                newest = newest or held
                if held.content_sha256() == content and wanted_image.digest:
                    found["deploy"] = DeployOutcome(
                        stored.deploy_id, name, stored.version, wanted_image, content, changed=False
                    )
                    return {
                        "deploy_id": stored.deploy_id,
                        "content_sha256": content,
                        **looked_at,
                        "changed": False,
                        **warned,
                    }
            found["deploy"] = DeployOutcome(NOT_YET, name, 0, wanted_image, content, changed=True)
            told = [str(change) for change in diff(newest, wanted)] if newest else ["the first of its name"]
            return {
                "deploy_id": NOT_YET,
                "content_sha256": content,
                **looked_at,
                "difference": told,
                "changed": True,
                **warned,
            }

        inputs = {
            "name": name,
            "dockerrun": str(dockerrun),
            "image": str(image),
            "container": container,
            "variables": sorted(variables or {}),
        }
        self._recorder.plan("create_deploy", inputs, look)
        return found["deploy"]

    def deploy_service(
        self,
        environment: str,
        service: str,
        deploy: DeployOutcome | str,
        *,
        load_balancer: str | None = None,
    ) -> services.ServiceOutcome:
        """Say whether the service would be created, moved or left."""
        deploy_id = deploy if isinstance(deploy, str) else deploy.deploy_id

        def look() -> services.ServiceOutcome:
            where, standing = services.find_service(self._to.layer0, environment, service)
            previous = standing.primary.deploy_id if standing and standing.primary else None
            if load_balancer and deploy_id != NOT_YET:
                balancer_for(self._to.layer0, where, load_balancer, deploy_id, standing)
            return services.ServiceOutcome(
                standing.service_id if standing else NOT_YET,
                service,
                where.environment_id,
                where.name,
                deploy_id,
                previous,
                changed=previous != deploy_id,
            )

        inputs = {"environment": environment, "service": service, "deploy_id": deploy_id}
        inputs |= {"load_balancer": load_balancer} if load_balancer else {}
        return self._recorder.plan("update_service", inputs, look)

    def wait(
        self, service: services.ServiceOutcome, *, timeout_s: float = 600.0, on_failure: str = "stop"
    ) -> WaitOutcome:
        """Say what would be waited for."""
        inputs = {
            "environment": service.environment,
            "service": service.service,
            "deploy_id": service.deploy_id,
            "timeout_s": timeout_s,
            "on_failure": on_failure,
        }
        # Nobody has counted yet: the record says no numbers.
        self._recorder.plan("wait", inputs, lambda: {"service_id": service.service_id, "changed": False})
        return WaitOutcome(service.service_id, service.service, service.deploy_id, 0, 0, 0, 0.0)

    def rollback(
        self, service: services.ServiceOutcome, *, deploy_id: str | None = None, timeout_s: float = 600.0
    ) -> RollbackOutcome:
        """Say from which deploy to which the service would be moved."""
        wanted = deploy_id or service.previous_deploy_id

        def look() -> RollbackOutcome:
            require_earlier(self._to.layer0, service.service, wanted)
            changed = wanted != service.deploy_id
            return RollbackOutcome(
                service.service_id,
                service.service,
                wanted or "",
                service.deploy_id,
                0.0,
                changed,
                service.environment,
            )

        inputs = {
            "environment": service.environment,
            "service": service.service,
            "deploy_id": wanted,
            "timeout_s": timeout_s,
        }
        return self._recorder.plan("rollback", inputs, look)

    def create_task(
        self,
        environment: str,
        task: str,
        deploy: DeployOutcome | str,
        *,
        env_vars: EnvVars | None = None,
        wait: bool = True,
        timeout_s: float = 3600.0,
    ) -> TaskOutcome:
        """Say what would be run."""
        deploy_id = deploy if isinstance(deploy, str) else deploy.deploy_id

        def look() -> TaskOutcome:
            where = services.find_environment(self._to.layer0, environment)
            return TaskOutcome(NOT_YET, task, where.name, deploy_id, {}, ())

        names = {container: sorted(values) for container, values in (env_vars or {}).items()}
        inputs = {
            "environment": environment,
            "task": task,
            "deploy_id": deploy_id,
            "env_vars": names,
            "wait": wait,
        }
        return self._recorder.plan("create_task", inputs, look)

    def verify(
        self,
        service: services.ServiceOutcome | RollbackOutcome,
        image: PushOutcome | CopyOutcome | None = None,
        *,
        container: str | None = None,
        profile: str = "",
        region: str = "",
    ) -> VerifyOutcome:
        """Say what would be verified."""
        wanted = None if image is None else image.image
        inputs = {
            "environment": service.environment,
            "service": service.service,
            "image": None if wanted is None else str(wanted),
            "container": container,
        }
        inputs |= {name: value for name, value in (("profile", profile), ("region", region)) if value}
        self._recorder.plan("verify", inputs, lambda: {"deploy_id": service.deploy_id, "changed": False})
        return VerifyOutcome(service.service_id, service.deploy_id, wanted or _NO_IMAGE, NOT_YET, NOT_YET, 0)
