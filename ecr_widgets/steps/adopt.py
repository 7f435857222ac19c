"""Adopt a Layer0 service: address it on ECS from now on, or write the files of a native ECS service beside it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar

from ecr_widgets.dockerrun.diff import diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.for_ecs import for_fargate, pinned, with_log_group
from ecr_widgets.errors import InputError
from ecr_widgets.model.ecs_names import is_ecs
from ecr_widgets.model.layer0 import Environment
from ecr_widgets.model.layer0_load_balancer import LoadBalancer
from ecr_widgets.model.paths import is_file, path_of
from ecr_widgets.model.services import Dialect
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.beside_layer0 import (
    Answers,
    balancer_notes,
    environment_notes,
    network_questions,
    ports_behind,
    service_file,
)
from ecr_widgets.steps.shared.layer0_on_ecs import SameService, find_same
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.runbook_files import naming
from ecr_widgets.steps.shared.service_lookup import find_environment, require_service
from ecr_widgets.steps.step import Step, if_given

_ANY_CLUSTER = "ecs:default"
"""Means ECS in this account and region; the cluster itself is not read."""
_LAUNCH_TYPES = ("EC2", "FARGATE")
_UNANSWERED = re.compile(rb'"<[A-Z_]+>"')
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class AdoptOutcome:
    """One service by all its names, the files to manage it from now on, and what becomes of its parts."""

    environment: str
    service: str
    service_id: str
    deploy_id: str
    same_environment: str
    """The cluster of Layer0's environment, as runbooks call it."""
    same_service: str
    same_service_id: str
    same_deploy_id: str
    to_environment: str
    """Where it is managed from now on: the same cluster, or another one."""
    to_service: str
    to_deploy: str
    """The family of its task definitions from now on."""
    copies: int
    running_digests: Mapping[str, str]
    """By container, as the running copies report it to ECS."""
    task_definition: str
    """Path of its file."""
    service_file: str
    """Path of its file; empty if the service stays."""
    container: str
    """The container whose image the next deploy sets."""
    image: str
    kept: tuple[str, ...]
    changes: tuple[str, ...]
    questions: tuple[str, ...]
    """What needs an answer before the new service is created."""
    changed: bool
    """Whether files were written."""


@dataclass(frozen=True, slots=True)
class WayOn:
    """Where the service is managed from now on, and what becomes of its parts."""

    environment: str
    service: str
    deploy: str
    document: Mapping[str, Any]
    settings: Mapping[str, Any]
    """Settings of a new service; empty if the service stays."""
    kept: tuple[str, ...]
    changes: tuple[str, ...]
    questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundBoth:
    """The outcome, and what its files hold."""

    outcome: AdoptOutcome
    files: Mapping[str, bytes]
    """Content by path."""
    missing: frozenset[str]
    """Paths of those that do not exist yet."""


@dataclass(frozen=True)
class Adopt(Step[FoundBoth, AdoptOutcome]):
    """Find the ECS service behind a Layer0 service, prove that both are the same, and say what stays and what changes.

    Without a cluster nothing moves: the same service is addressed on ECS from then on. With one, the files of a service
    beside it are written. Existing files are used as they are.

    Args:
        cluster: ECS cluster for a service beside it, such as `ecs:prod`; empty to stay.

        files: Folder for the task definition and the service file.

        launch_type: EC2 or FARGATE, for the service beside it.

        subnets: On Fargate: subnets of Layer0's VPC.

        security_groups: On Fargate.

        execution_role: On Fargate: ARN of the role that pulls images and writes logs.

        target_groups: ARNs, one for each port of the old load balancer, in its order.

        log_group: For logs that go to Layer0's own group now; empty to stay there.

        answered: Whether the questions that a plan shows have been answered.

    Raises:
        EntityNotFound: No such service on Layer0, or it is not in this account's ECS.

        VerifyError: Layer0 and ECS report different things.

        InputError: A question is open, or the service has changed since the files were written.
    """

    asks: ClassVar = ("this machine: new files in the folder",)
    compares: ClassVar = False

    environment: str
    service: str
    _: KW_ONLY
    cluster: str = ""
    files: str | Path = "adopted"
    launch_type: str = "EC2"
    subnets: Sequence[str] = if_given(())
    security_groups: Sequence[str] = if_given(())
    execution_role: str = if_given("")
    target_groups: Sequence[str] = if_given(())
    log_group: str = if_given("")
    answered: bool = if_given(default=False)

    def inputs(self, outside: Outside) -> dict[str, Any]:
        return {**super().inputs(outside), "files": str(self.files)}

    def holds(self, outside: Outside) -> str:
        return outside.service_target(self.environment, self.service)

    def look(self, outside: Outside, progress: ProgressSink) -> FoundBoth:
        self._check()
        layer0 = outside.layer0_of(self.environment, "adopt")
        place = find_environment(layer0, self.environment)
        service = require_service(layer0, place, self.service)
        ecs = outside.services_of(self.cluster or _ANY_CLUSTER)
        same = find_same(layer0, ecs, place, service)
        balancer_id = service.load_balancer_id
        balancer = layer0.read_load_balancer(balancer_id) if balancer_id else None
        environment = layer0.read_environment(place.environment_id)
        links = [layer0.read_environment(each).name for each in environment.links]
        way = self._beside if self.cluster else _in_place
        return self._found(outside, same, way(same, balancer, environment, links))

    def plan(self, outside: Outside, found: FoundBoth) -> AdoptOutcome:
        # For the plan's next steps, which read them.
        outside.files.drafts.update(found.files)
        return found.outcome

    def act(self, outside: Outside, found: FoundBoth, progress: ProgressSink) -> AdoptOutcome:
        outcome = found.outcome
        for path in sorted(found.missing):
            _write(Path(path), found.files[path])
        unfilled = [path for path, content in found.files.items() if _UNANSWERED.search(content)]
        if (outcome.questions and not self.answered) or unfilled:
            asked = "; ".join(outcome.questions) or f"{', '.join(unfilled)} still holds a placeholder"
            raise InputError(
                f"open questions about {self.service!r}, whose files are in {str(self.files)!r}: {asked}",
                hint="answer them by parameters, or in the files, then run it again with answered=true",
            )
        return outcome

    def _check(self) -> None:
        if self.launch_type not in _LAUNCH_TYPES:
            raise InputError(f"launch type {self.launch_type!r} refused", hint="give EC2 or FARGATE")
        if self.cluster and not is_ecs(self.cluster):
            raise InputError(
                f"{self.cluster!r} names no cluster of ECS", hint="write ecs: before the cluster's name"
            )

    def _beside(
        self,
        same: SameService,
        balancer: LoadBalancer | None,
        environment: Environment,
        links: Sequence[str],
    ) -> WayOn:
        answers = Answers(self.launch_type, self.subnets, self.security_groups, self.target_groups)
        name, family = _NOT_IN_NAMES.sub("-", same.layer0.name), same.layer0_deploy_id.rpartition(".")[0]
        document, changes = pinned(same.deploy.document, same.running)
        moved = with_log_group(document, self.log_group, name)
        changes += moved.changed
        questions: list[str] = [*network_questions(answers), *environment_notes(environment, links, answers)]
        document = dict(moved.document)
        if self.launch_type == "FARGATE":
            fargate = for_fargate(document, execution_role=self.execution_role)
            document, changes = dict(fargate.document), (*changes, *fargate.changed)
            questions += fargate.questions
        if balancer is not None:
            changed, asked = balancer_notes(balancer, answers)
            changes, questions = (*changes, *changed), [*questions, *asked]
        ports = ports_behind(balancer, same.deploy.document) if balancer is not None else ()
        return WayOn(
            self.cluster,
            name,
            family,
            {**document, "family": family},
            service_file(answers, ports),
            kept=(
                *_containers(document),
                f"number of copies: {same.ecs.desired_count}, once one is verified",
            ),
            changes=(f"service {same.ecs.name} of {same.cluster.name} stays until you delete it", *changes),
            questions=tuple(questions),
        )

    def _found(self, outside: Outside, same: SameService, way: WayOn) -> FoundBoth:
        folder, files = path_of(self.files), {}
        task_path, service_path = (str(folder / f"{way.service}.{kind}.json") for kind in ("task", "service"))
        files[task_path] = _json(way.document)
        if way.settings:
            files[service_path] = _json(way.settings)
        existing = {path for path in files if is_file(outside.files.find(path))}
        files |= {path: outside.files.read(path) for path in existing}
        with naming(task_path):
            written = Dockerrun.stored(files[task_path], Dialect.ECS)
        copies = self._check_current(outside, same, way, written)
        first = next((each for each in written.containers if "@" in each.image), written.containers[0])
        outcome = AdoptOutcome(
            self.environment,
            same.layer0.name,
            same.layer0.service_id,
            same.layer0_deploy_id,
            same.cluster.name,
            same.ecs.name,
            same.ecs.service_id,
            same.ecs_deploy_id,
            way.environment,
            way.service,
            way.deploy,
            copies,
            dict(same.running),
            task_path,
            service_path if way.settings else "",
            first.name,
            first.image,
            way.kept,
            (*way.changes, *(f"{path} exists and is used as it is" for path in sorted(existing))),
            way.questions,
            changed=existing != set(files),
        )
        return FoundBoth(outcome, files, frozenset(files) - existing)

    def _check_current(self, outside: Outside, same: SameService, way: WayOn, written: Dockerrun) -> int:
        """How many copies it will have. A service that has changed since then must not be set back to these files.

        Raises:
            InputError: It runs another document.
        """
        services = outside.services_of(way.environment)
        place = find_environment(services, way.environment)
        target = services.find_service(place.environment_id, way.service)
        if target is not None and target.primary is not None:
            runs = Dockerrun.stored(
                services.read_deploy(target.primary.deploy_id).dockerrun or b"{}", Dialect.ECS
            )
            changes = tuple(map(str, diff(runs, written)))
            if changes:
                raise InputError(
                    f"service {way.service!r} of {way.environment} runs {target.primary.deploy_id}, which is not what"
                    f" {str(self.files)!r} holds: {'; '.join(changes[:3])}",
                    hint="it was already adopted: deploy to it, or name another folder",
                )
        return same.layer0.desired_count or (target.desired_count if target is not None else 0) or 1


def _in_place(
    same: SameService, balancer: LoadBalancer | None, environment: Environment, links: Sequence[str]
) -> WayOn:
    kept = [
        *_containers(same.deploy.document),
        f"number of copies: {same.ecs.desired_count}, and everything else of the service",
    ]
    if balancer is not None:
        kept.append(f"load balancer {balancer.name} at {balancer.url}")
    if links:
        kept.append(f"links to {', '.join(links)}")
    kept.append(f"environment {environment.name}: deleting it on Layer0 deletes this service as well")
    names_logs = any("logConfiguration" in each for each in same.deploy.document["containerDefinitions"])
    logs = ("its file names the log group, which Layer0 adds to each deploy",) if names_logs else ()
    family = same.ecs_deploy_id.rpartition(":")[0]
    return WayOn(
        same.cluster.name,
        same.ecs.name,
        family,
        same.deploy.document,
        {},
        kept=tuple(kept),
        changes=(
            f"runbooks call it {same.ecs.name} in {same.cluster.name}, and its deploys {family}",
            *logs,
            "Layer0 shows what is deployed by ECS without a name",
        ),
    )


def _containers(document: Mapping[str, Any]) -> list[str]:
    return [
        f"container {each['name']}: {each['image']}"
        + "".join(
            f", {name}" for name, value in sorted(each.items()) if value and name not in ("name", "image")
        )
        for each in document["containerDefinitions"]
    ]


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only, since variables may be secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123
        file.write(content)
    unfinished.replace(path)
