"""Check what is reachable and with which identity, and say what to do about what is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from ecr_widgets.errors import (
    AuthorizationError,
    EcrWidgetsError,
    EngineError,
    EngineUnavailable,
    ImageNotFound,
    SettingsError,
)
from ecr_widgets.model.bucket_path import BucketPath, is_bucket
from ecr_widgets.model.engine_facts import ImageStore
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import ignore_progress
from ecr_widgets.settings import POLICY_VARIABLE, RUNS_VARIABLE, Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    what: str
    ok: bool
    told: str  # a name of --json's document
    """What answered, or what to do."""


def examine() -> tuple[Finding, ...]:
    """Check AWS, Docker, Layer0 and, if set, the bucket for runs and the policy; changes only a few objects in that bucket."""
    findings = [_check(what, look) for what, look in _CHECKS.items()]
    if is_bucket(os.environ.get(RUNS_VARIABLE, "")):
        findings.append(_check("Bucket for runs", _bucket))
    if {_REGISTRY, _ENGINE} <= {finding.what for finding in findings if finding.ok}:
        findings.append(_check("Engine to ECR", _reach))
    if os.environ.get(POLICY_VARIABLE):
        findings.append(_check("Policy", _policy))
    return tuple(findings)


def _check(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, ok=True, told=look())
    except EcrWidgetsError as error:
        return Finding(what, ok=False, told=str(error))
    except Exception as error:  # noqa: BLE001 -- an unexpected error here must not hide the other findings
        return Finding(what, ok=False, told=f"{type(error).__name__}: {error}; please report this")


def _identity() -> str:
    from ecr_widgets.adapters.boto_ecr import BotoEcr

    identity = BotoEcr().identity()
    return f"{identity.arn} in account {identity.account}"


def _registry() -> str:
    from ecr_widgets.adapters.boto_ecr import BotoEcr

    token = BotoEcr().authorization_token()
    return f"{token.registry}, authorization token valid until {token.expires_at:%Y-%m-%d %H:%M} UTC"


def _engine() -> str:
    from ecr_widgets.adapters.docker_engine import DockerEngine

    engine = DockerEngine()
    facts = engine.facts()
    rootless = ", rootless" if facts.rootless else ""
    name = f"{facts.name} {facts.version} (API {facts.api_version}{rootless}) at {facts.address}"
    return f"{name}, images in {facts.driver}, {_STORES[facts.store]}, builds by {engine.builder()}"


def _layer0() -> str:
    from ecr_widgets.adapters.layer0.client import Layer0Api

    settings = Settings.from_environment().layer0
    if settings is None:
        raise SettingsError(
            "LAYER0_API_ENDPOINT and LAYER0_AUTH_TOKEN are not set", hint="take both from `l0-setup endpoint`"
        )
    return f"Layer0 {Layer0Api(settings).version()} at {settings.endpoint}"


def _policy() -> str:
    from ecr_widgets.audit.policy_file import read_policy_file

    settings = Settings.from_environment()
    assert settings.policy is not None
    policy = read_policy_file(settings.policy)
    places = ", ".join((*policy.environments, *policy.repositories)) or "no place"
    override = f", overridden now: {settings.override_gate}" if settings.override_gate else ""
    return f"{settings.policy} (sha256 {policy.sha256[:12]}) for {places}{override}"


def _bucket() -> str:
    from ecr_widgets.adapters.s3_probe import probe
    from ecr_widgets.adapters.s3_store import S3Store

    try:
        return probe(S3Store(BucketPath.parse(os.environ[RUNS_VARIABLE])))
    except OSError as error:
        raise SettingsError(
            error.strerror or str(error), hint="check the bucket's name, your rights and AWS_REGION"
        ) from error


def _reach() -> str:
    """Pull an image that does not exist: only the registry can answer that it does not."""
    from ecr_widgets.adapters.boto_ecr import BotoEcr
    from ecr_widgets.adapters.docker_engine import DockerEngine

    token = BotoEcr().authorization_token()
    image = ImageReference.parse(f"{token.registry}/ecr-widgets/doctor:none")
    try:
        DockerEngine().pull(image, token, progress=ignore_progress)
    except (ImageNotFound, AuthorizationError):
        pass  # the registry refused, so the engine has reached it
    except EngineError as error:
        raise EngineUnavailable(
            f"the engine does not reach {token.registry}: {error.message}", hint=_OWN_NETWORK
        ) from error
    return f"the engine reaches {token.registry}"


_REGISTRY, _ENGINE = "ECR registry", "Docker Engine"
_OWN_NETWORK = (
    "an engine in a virtual machine, or a rootless one, has its own network, loopback and proxies: set DOCKER_HOST to"
    " another engine, or let this one reach the registry"
)
_STORES = {
    ImageStore.GRAPH_DRIVER: "a graph driver: the first push of a layer compresses it, on one core",
    ImageStore.CONTAINERD: "containerd's store",
    ImageStore.PODMAN: "containers-storage",
}
_CHECKS: dict[str, Callable[[], str]] = {
    "AWS identity": _identity,
    _REGISTRY: _registry,
    _ENGINE: _engine,
    "Layer0": _layer0,
}
