"""A native ECS service beside a Layer0 service: its service file, and what becomes of balancer, environment and links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecr_widgets.dockerrun.for_ecs import UNANSWERED
from ecr_widgets.model.layer0 import Environment
from ecr_widgets.model.layer0_load_balancer import LoadBalancer, Port

_SPEAKS_HTTP = ("HTTP", "HTTPS")


@dataclass(frozen=True, slots=True)
class Answers:
    """What people said about the new service."""

    launch_type: str = "EC2"
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    target_groups: Sequence[str] = ()
    """ARNs, in the order of the old balancer's ports."""


def service_file(answers: Answers, ports: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """The settings that the new service is created with.

    Args:
        ports: Container and container port behind each of the old balancer's ports.
    """
    settings: dict[str, Any] = {
        "launchType": answers.launch_type,
        "desiredCount": 1,
        "deploymentConfiguration": {
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": True, "rollback": False},
        },
    }
    if answers.launch_type == "FARGATE":
        settings["networkConfiguration"] = {
            "awsvpcConfiguration": {
                "subnets": list(answers.subnets) or [UNANSWERED.format("SUBNET")],
                "securityGroups": list(answers.security_groups) or [UNANSWERED.format("SECURITY_GROUP")],
                "assignPublicIp": "DISABLED",
            }
        }
    else:
        settings["placementStrategy"] = [{"type": "binpack", "field": "memory"}]
    if answers.target_groups:
        settings["loadBalancers"] = [
            {"targetGroupArn": arn, "containerName": container, "containerPort": port}
            for arn, (container, port) in zip(answers.target_groups, ports, strict=False)
        ]
        settings["healthCheckGracePeriodSeconds"] = 60
    return settings


def ports_behind(balancer: LoadBalancer, document: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Container and container port behind each of a balancer's ports, which only refer to ports of the instance."""
    behind = {
        mapping.get("hostPort") or mapping.get("containerPort"): (each["name"], mapping.get("containerPort"))
        for each in document["containerDefinitions"]
        for mapping in each.get("portMappings") or ()
    }
    return tuple(behind[each.container_port] for each in balancer.ports if each.container_port in behind)


def network_questions(answers: Answers) -> Iterator[str]:
    """What nobody has said about the network."""
    if answers.launch_type == "FARGATE" and not answers.subnets:
        yield "subnets: which private subnets of Layer0's VPC do the tasks get?"
    if answers.launch_type == "FARGATE" and not answers.security_groups:
        yield "security_groups: which ones do the tasks get? Those that they call must let them in"


def balancer_notes(balancer: LoadBalancer, answers: Answers) -> tuple[list[str], list[str]]:
    """What changes about the balancer, and what needs an answer."""
    changed = [_port_note(each, balancer.is_public) for each in balancer.ports]
    check = balancer.health_check
    where, _, path = check.target.partition("/")
    speaks, _, port = where.partition(":")
    changed.append(
        f"health check {check.target}: {speaks}"
        + (f" /{path} must answer 200" if speaks in _SPEAKS_HTTP else " must connect")
        + f", no longer by the instance's port {port}; every {check.interval} s, within {check.timeout} s,"
        f" {check.healthy_threshold} times healthy, {check.unhealthy_threshold} times unhealthy"
    )
    changed.append(
        f"idle timeout {balancer.idle_timeout} s: attribute idle_timeout.timeout_seconds of the new balancer"
    )
    questions = [
        (
            f"DNS: who calls {balancer.url or balancer.name}? Give them a name of your own before you move it;"
            " this run does not"
        )
    ]
    if len(answers.target_groups) != len(balancer.ports):
        questions.append(
            f"target_groups: {len(balancer.ports)} needed, one for each port of load balancer"
            f" {balancer.name!r}, and {len(answers.target_groups)} given"
        )
    return changed, questions


def environment_notes(environment: Environment, links: Sequence[str], answers: Answers) -> list[str]:
    """What needs an answer about the environment.

    Args:
        links: Names of the environments that it is linked to.
    """
    questions = [
        f"link to environment {each!r}: does its security group let the new service in, and the other way round?"
        for each in links
    ]
    if answers.launch_type == "EC2" and environment.instance_size:
        questions.append(
            f"instances: does the cluster have room for it? On Layer0 each is {environment.instance_size},"
            f" {environment.min_count} to {environment.max_count} of them"
        )
    return questions


def _port_note(port: Port, is_public: bool) -> str:  # noqa: FBT001
    kind = "application" if port.protocol in _SPEAKS_HTTP else "network"
    certificate = port.certificate_arn or port.certificate
    return (
        f"port {port.host_port} {port.protocol}: a listener of a {'public' if is_public else 'private'} {kind}"
        f" load balancer in place of the classic one" + (f", with {certificate}" if certificate else "")
    )
