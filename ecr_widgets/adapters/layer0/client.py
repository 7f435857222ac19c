"""Layer0's calls. Names are resolved here, because the server does not: exact matches only, latest per exact name."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import replace
from datetime import datetime

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.adapters.layer0.admin import Admin
from ecr_widgets.adapters.layer0.calls import segment
from ecr_widgets.adapters.layer0.ecs_only import EcsOnly
from ecr_widgets.adapters.layer0.environments import Environments
from ecr_widgets.adapters.layer0.load_balancers import LoadBalancers
from ecr_widgets.adapters.layer0.task_requests import TaskRequests
from ecr_widgets.errors import EntityNotFound, InputError, Layer0Error, Layer0Unavailable
from ecr_widgets.model.services import ContainerLog, Deploy, Dialect, Service, Settings, Summary, Task

_MOST_CRASHED = 3
"""Copies whose last lines are returned, to show why they stopped."""
_REQUESTS = {
    "create_deploy": "POST /deploy",
    "create_service": "POST /service/",
    "update_service": "PUT /service/ID/deploy",
    "scale_service": "PUT /service/ID/scale",
    "start_task": "POST /task/",
}


class Layer0Api(Environments, LoadBalancers, Admin, TaskRequests, EcsOnly):
    """Implements `ports.Layer0`."""

    def dialect(self) -> Dialect:
        return Dialect.LAYER0

    def address(self) -> str:
        return self._settings.address

    def request(self, call: str) -> str:
        return f"Layer0: {_REQUESTS[call]}"

    def version(self) -> str:
        value = self._transport.read("/admin/version").value
        if not isinstance(value, str):
            raise Layer0Unavailable(
                f"Layer0 answered {type(value).__name__} where its version belongs",
                hint="check LAYER0_API_ENDPOINT",
            )
        return value

    def list_deploys(self, name: str) -> tuple[Deploy, ...]:
        # Without `version=latest`: servers answer that with the highest version of any name with this prefix.
        found = self._named("deploy", name)
        deploys = [
            Deploy(each, name, decode.number_in(tags.get("version", "")))
            for each, tags in found.items()
            if tags.get("name") == name
        ]
        return tuple(sorted(deploys, key=lambda each: each.version))

    def list_all_deploys(self) -> tuple[Deploy, ...]:
        deploys = [
            Deploy(each, tags.get("name", ""), decode.number_in(tags.get("version", "")))
            for each, tags in self._tagged("deploy").items()
        ]
        return tuple(sorted(deploys, key=lambda each: (each.name, each.version)))

    def deploy_limits(self) -> None:
        return None

    def find_latest_deploy(self, name: str) -> Deploy | None:
        # Servers answer `version=latest` with the highest version of any name with this prefix, or one for each
        # name; if ours is among them it is its latest.
        found = self._named("deploy", name, version="latest")
        for each, tags in found.items():
            if tags.get("name") == name:
                return Deploy(each, name, decode.number_in(tags.get("version", "")))
        return next(reversed(self.list_deploys(name)), None)

    def read_deploy(self, deploy_id: str) -> Deploy:
        return decode.deploy(self._entity("/deploy/", deploy_id, "deploy_id"))

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        body = {"deploy_name": name, "dockerrun": base64.b64encode(dockerrun).decode()}
        return decode.deploy(self._changed("POST", "/deploy", body, "deploy_id"))

    def delete_deploy(self, deploy_id: str) -> None:
        self._transport.change("DELETE", f"/deploy/{segment(deploy_id)}", None)

    def find_service(self, environment_id: str, name: str) -> Service | None:
        # Through the tags, because some servers list services with environments' ids.
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

    def create_service(
        self,
        environment_id: str,
        name: str,
        deploy_id: str,
        *,
        load_balancer_id: str = "",
        settings: Settings | None = None,
        token: str = "",
    ) -> Service:
        if settings is not None:
            raise InputError("Layer0 does not accept a service file", hint="leave service_file empty")
        body = {
            "deploy_id": deploy_id,
            "environment_id": environment_id,
            "load_balancer_id": load_balancer_id,
            "service_name": name,
        }
        return decode.service(self._changed("POST", "/service/", body, "service_id"))

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        path = f"/service/{segment(service_id)}/deploy"
        return decode.service(self._changed("PUT", path, {"deploy_id": deploy_id}, "service_id"))

    def list_services(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        listed = decode.summaries(self._transport.read("/service/").value, "service")
        if not all(each.name for each in listed):
            # Some servers list services with environments' ids and without names, others list deleted services.
            tagged = self._tagged("service")
            names = {each.environment_id: each.name for each in self.list_environments()}
            listed = [
                Summary(each, tags.get("name", ""), tags.get("environment_id", ""), "")
                for each, tags in tagged.items()
            ]
            listed = [replace(each, environment=names.get(each.environment_id, "")) for each in listed]
        services = [each for each in listed if environment_id in (None, each.environment_id)]
        return tuple(sorted(services, key=lambda each: (each.name, each.entity_id)))

    def scale_service(self, service_id: str, desired_count: int) -> Service:
        path = f"/service/{segment(service_id)}/scale"
        return decode.service(self._changed("PUT", path, {"desired_count": desired_count}, "service_id"))

    def delete_service(self, service_id: str) -> str:
        return self._job("DELETE", f"/service/{segment(service_id)}")

    def service_logs(
        self, service_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        return self._logs(f"/service/{segment(service_id)}/logs", tail, start, end)

    def read_task(self, task_id: str) -> Task:
        return decode.task(self._entity("/task/", task_id, "task_id"))

    def crash_logs(self, service_id: str, deployment_id: str, *, tail: int) -> tuple[ContainerLog, ...]:
        # Layer0 does not say which copy wrote what, but returns the newest first, and copies that keep stopping were
        # started last: take as many as this deployment's stopped copies.
        deployments = self.read_service(service_id).deployments
        stopped = sum(
            len(each.stopped_reasons) for each in deployments if each.deployment_id == deployment_id
        )
        most, found = min(max(stopped, 1), _MOST_CRASHED), Counter[str]()
        logs: list[ContainerLog] = []
        for log in self.service_logs(service_id, tail=tail):
            if log.lines and found[log.name] < most:
                found[log.name] += 1
                logs.insert(0, log)
        return tuple(logs)

    def list_tasks(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        listed = decode.summaries(self._transport.read("/task/").value, "task")
        named = [each for each in listed if each.name and environment_id in (None, each.environment_id)]
        return tuple(sorted(named, key=lambda each: (each.name, each.entity_id)))

    def delete_task(self, task_id: str) -> None:
        path = f"/task/{segment(task_id)}"
        try:
            self._transport.change("DELETE", path, None)
        except EntityNotFound:
            raise
        except Layer0Error as error:
            # v0.12.1 to v0.12.6 stop the task and then fail on its tags; if the task is gone, that has happened.
            if error.status != 500 or "no item found" not in error.message:
                raise
            try:
                self.read_task(task_id)
            except EntityNotFound:
                return
            raise
