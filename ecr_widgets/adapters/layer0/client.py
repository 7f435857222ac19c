"""Layer0's calls. Names are resolved here, since the server resolves none: exact matches only, latest per exact name."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.adapters.layer0.transport import Transport
from ecr_widgets.errors import EntityNotFound, Layer0Error, Layer0Unavailable, OutcomeUnknown
from ecr_widgets.model.layer0 import ContainerLog, Deploy, Environment, Job, Service, Task
from ecr_widgets.settings import Layer0Settings


class Layer0Api:
    """Implements `ports.Layer0`."""

    def __init__(self, settings: Layer0Settings) -> None:
        self._transport = Transport(settings)

    def version(self) -> str:
        value = self._transport.read("/admin/version").value
        if not isinstance(value, str):
            raise Layer0Unavailable(
                f"Layer0 answered {type(value).__name__} where its version belongs",
                hint="check LAYER0_API_ENDPOINT",
            )
        return value

    def find_environment(self, name: str) -> Environment | None:
        found = self._named("environment", name)
        if len(found) > 1:
            raise Layer0Error(f"{len(found)} environments are called {name!r}", hint="use the id")
        return next((Environment(each, tags.get("name", name)) for each, tags in found.items()), None)

    def list_deploys(self, name: str) -> tuple[Deploy, ...]:
        # Asked without `version=latest`: servers answer that with the highest version of any name with this prefix.
        found = self._named("deploy", name)
        deploys = [
            Deploy(each, name, decode.version_number(tags.get("version", "")))
            for each, tags in found.items()
            if tags.get("name") == name
        ]
        return tuple(sorted(deploys, key=lambda each: each.version))

    def read_deploy(self, deploy_id: str) -> Deploy:
        return decode.deploy(self._entity("/deploy/", deploy_id, "deploy_id"))

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        body = {"deploy_name": name, "dockerrun": base64.b64encode(dockerrun).decode()}
        return decode.deploy(self._changed("POST", "/deploy", body, "deploy_id"))

    def find_service(self, environment_id: str, name: str) -> Service | None:
        # Through the tags: some servers list services with ids of environments.
        found = self._named("service", name, environment_id=environment_id)
        for each, tags in found.items():
            if (tags.get("name"), tags.get("environment_id")) == (name, environment_id):
                try:
                    return self.read_service(each)
                except EntityNotFound:
                    # Tags outlive what they name.
                    continue
        return None

    def read_service(self, service_id: str) -> Service:
        return decode.service(self._entity("/service/", service_id, "service_id"))

    def create_service(self, environment_id: str, name: str, deploy_id: str) -> Service:
        body = {
            "deploy_id": deploy_id,
            "environment_id": environment_id,
            "load_balancer_id": "",
            "service_name": name,
        }
        return decode.service(self._changed("POST", "/service/", body, "service_id"))

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        path = f"/service/{_segment(service_id)}/deploy"
        return decode.service(self._changed("PUT", path, {"deploy_id": deploy_id}, "service_id"))

    def service_logs(self, service_id: str, *, tail: int) -> tuple[ContainerLog, ...]:
        path = f"/service/{_segment(service_id)}/logs"
        return decode.logs(self._transport.read(path, {"tail": str(tail)}).value)

    def create_task(
        self, environment_id: str, name: str, deploy_id: str, overrides: Mapping[str, Mapping[str, str]]
    ) -> str:
        # The server answers 202 to ids that do not exist and then tries for a day, so they are looked up first.
        self.read_deploy(deploy_id)
        body: dict[str, Any] = {
            "container_overrides": [
                {"container_name": container, "environment_overrides": dict(values)}
                for container, values in overrides.items()
            ],
            "deploy_id": deploy_id,
            "environment_id": environment_id,
            "task_name": name,
        }
        answer = self._transport.change("POST", "/task/", body)
        headers = {key.lower(): value for key, value in answer.headers.items()}
        job_id = headers.get("x-jobid") or headers.get("location", "").rpartition("/")[2]
        if not job_id:
            raise OutcomeUnknown(
                "Layer0 took the task and named no job", hint="list the tasks to see whether it runs"
            )
        return job_id

    def read_job(self, job_id: str) -> Job:
        return decode.job(self._entity("/job/", job_id, "job_id"))

    def read_task(self, task_id: str) -> Task:
        return decode.task(self._entity("/task/", task_id, "task_id"))

    def task_logs(self, task_id: str, *, tail: int) -> tuple[ContainerLog, ...]:
        path = f"/task/{_segment(task_id)}/logs"
        return decode.logs(self._transport.read(path, {"tail": str(tail)}).value)

    def _entity(self, path: str, entity_id: str, id_name: str) -> decode.Wire:
        return decode.entity(self._transport.read(path + _segment(entity_id)).value, id_name)

    def _changed(self, method: str, path: str, body: Mapping[str, Any], id_name: str) -> decode.Wire:
        value = self._transport.change(method, path, body).value
        try:
            return decode.entity(value, id_name)
        except Layer0Unavailable as error:
            # It went through; what came back does not tell of what.
            raise OutcomeUnknown(
                f"{error.message} to {method} {path}", hint="look whether it was done before asking again"
            ) from error

    def _named(self, kind: str, name: str, **more: str) -> dict[str, dict[str, str]]:
        """Tags by entity id of all entities whose name or id is exactly this; none where the server knows none."""
        try:
            answer = self._transport.read("/tag", {**more, "fuzz": name, "type": kind})
        except EntityNotFound:
            return {}
        entities = {str(raw.get("entity_id", "")): decode.tags(raw) for raw in decode.objects(answer.value)}
        return {each: tags for each, tags in entities.items() if name in (each, tags.get("name"))}


def _segment(entity_id: str) -> str:
    """An id as one segment of a path; an empty one would ask for the list instead.

    Raises:
        EntityNotFound: No id.
    """
    if not entity_id:
        raise EntityNotFound("an empty id names nothing", hint="give the id")
    return quote(entity_id, safe="")
