"""The outside in memory: one small world that the ports' fakes share, so that a push into one is seen by the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ecr_widgets.errors import (
    AuthorizationError,
    BuildError,
    EntityNotFound,
    ImageNotFound,
    PushError,
    RegistryError,
    RepositoryNotFound,
    TagImmutable,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.layer0 import (
    ContainerLog,
    Deploy,
    Deployment,
    Job,
    Service,
    Summary,
    Task,
    TaskContainer,
)
from ecr_widgets.model.registry import Expiry, Findings, Identity, Image, ImageDetails, ImagePage, Repository
from ecr_widgets.ports import Progress, ProgressSink
from tests.layer0_fakes import FakeEnvironments

REGISTRY = "registry.test:5000"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


KMS_KEY = "arn:aws:kms:us-east-1:111222333444:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def kms_key_of(encryption: Encryption | None) -> str | None:
    """What ECR tells of the key: always by ARN, and every alias names the one key that there is."""
    if encryption is None or encryption.type == "AES256":
        return None
    key = encryption.kms_key or "alias/aws/ecr"
    if "alias/" in key:
        return KMS_KEY
    return key if key.startswith("arn:") else KMS_KEY.rpartition("/")[0] + f"/{key}"


def digest_of(text: str) -> str:
    """A digest that depends on the text only."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass
class World:
    """What stands outside."""

    now: datetime = NOW
    repositories: dict[str, Repository] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    """Digest by repository and tag."""
    manifests: set[tuple[str, str]] = field(default_factory=set)
    """Repository and digest of all that was ever pushed."""
    pushed_at: dict[str, datetime] = field(default_factory=dict)
    """By digest, for those that were not pushed just now."""
    policies: dict[str, str] = field(default_factory=dict)
    """Lifecycle policy by repository."""
    findings: dict[str, Findings] = field(default_factory=dict)
    """What a scan found, by digest."""
    details: dict[str, ImageDetails] = field(default_factory=dict)
    """By digest, for those that are not an image for linux/amd64."""
    local: dict[str, str] = field(default_factory=dict)
    """Image id by local name."""
    pushed: dict[str, set[ImageReference]] = field(default_factory=dict)
    valid_passwords: set[str] = field(default_factory=set)
    tokens_issued: int = 0
    changes: list[str] = field(default_factory=list)
    """Every change, in order: what tests compare."""


class FakeClock:
    """Implements `ports.Clock`; sleeping moves it on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._started_at = world.now

    def now(self) -> datetime:
        return self._world.now

    def monotonic_s(self) -> float:
        return (self._world.now - self._started_at).total_seconds()

    def sleep(self, duration_s: float) -> None:
        self._world.now += timedelta(seconds=duration_s)


class FakeEcr:
    """Implements `ports.Ecr`."""

    page = 1000
    """Images told at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    def identity(self) -> Identity:
        return Identity("111222333444", "arn:aws:iam::111222333444:user/operator")

    def authorization_token(self) -> AuthorizationToken:
        self._world.tokens_issued += 1
        password = f"password-{self._world.tokens_issued}"
        self._world.valid_passwords.add(password)
        now = self._world.now
        return AuthorizationToken(REGISTRY, "AWS", password, now, now + timedelta(hours=12))

    def find_repository(self, name: str) -> Repository | None:
        return self._world.repositories.get(name)

    def create_repository(
        self, name: str, *, tags_immutable: bool, scan_on_push: bool, encryption: Encryption | None = None
    ) -> tuple[Repository, bool]:
        if name in self._world.repositories:
            return self._world.repositories[name], False
        made = Repository(
            name,
            f"{REGISTRY}/{name}",
            f"arn:aws:ecr:us-east-1:111222333444:repository/{name}",
            "111222333444",
            self._world.now,
            tags_immutable,
            scan_on_push,
            "AES256" if encryption is None else encryption.type,
            kms_key_of(encryption),
        )
        self._world.repositories[name] = made
        self._world.changes.append(f"create repository {name}")
        return made, True

    def list_repositories(self) -> tuple[Repository, ...]:
        return tuple(self._world.repositories.values())

    def list_images(self, repository: str) -> Iterator[ImagePage]:
        self._require(repository)
        digests = sorted(digest for name, digest in self._world.manifests if name == repository)
        images = [each for each in (self.find_image(repository, d) for d in digests) if each is not None]
        for start in range(0, max(len(images), 1), self.page):
            yield ImagePage(
                tuple(images[start : start + self.page]), is_last=start + self.page >= len(images)
            )

    def change_repository(
        self, name: str, *, tags_immutable: bool | None = None, scan_on_push: bool | None = None
    ) -> None:
        standing = self._require(name)
        self._world.repositories[name] = replace(
            standing,
            tags_immutable=standing.tags_immutable if tags_immutable is None else tags_immutable,
            scan_on_push=standing.scan_on_push if scan_on_push is None else scan_on_push,
        )
        self._world.changes.append(f"change repository {name}")

    def find_lifecycle_policy(self, name: str) -> str | None:
        self._require(name)
        return self._world.policies.get(name)

    def set_lifecycle_policy(self, name: str, policy: str) -> None:
        self._require(name)
        self._world.policies[name] = policy
        self._world.changes.append(f"set lifecycle policy of {name}")

    def preview_lifecycle_policy(self, name: str, policy: str) -> tuple[Expiry, ...]:
        """Knows rules that count all images, and no others."""
        rule = json.loads(policy)["rules"][0]
        assert rule["selection"]["countType"] == "imageCountMoreThan"
        assert rule["selection"]["tagStatus"] == "any"
        images = sorted(
            (image for page in self.list_images(name) for image in page),
            key=lambda image: image.pushed_at,
            reverse=True,
        )
        return tuple(
            Expiry(image.digest, image.tags, image.pushed_at, rule["rulePriority"])
            for image in images[rule["selection"]["countNumber"] :]
        )

    def delete_repository(self, name: str, *, with_images: bool) -> None:
        self._require(name)
        if not with_images and any(repository == name for repository, _ in self._world.manifests):
            raise RegistryError(f"{name} holds images")
        del self._world.repositories[name]
        self._world.manifests = {each for each in self._world.manifests if each[0] != name}
        self._world.tags = {key: digest for key, digest in self._world.tags.items() if key[0] != name}
        self._world.changes.append(f"delete repository {name}")

    def tag_image(self, repository: str, digest: str, tag: str) -> None:
        if (repository, digest) not in self._world.manifests:
            raise ImageNotFound(f"no image {digest}")
        standing = self._world.tags.get((repository, tag), digest)
        if standing != digest and self._require(repository).tags_immutable:
            raise TagImmutable("tag is immutable", standing=standing, wanted=digest)
        self._world.tags[repository, tag] = digest
        self._world.changes.append(f"tag {repository}:{tag}")

    def delete_images(self, repository: str, digests: Sequence[str]) -> dict[str, str]:
        self._require(repository)
        gone = {(repository, digest) for digest in digests}
        self._world.manifests -= gone
        self._world.tags = {
            key: digest for key, digest in self._world.tags.items() if (key[0], digest) not in gone
        }
        self._world.changes.append(f"delete {len(gone)} images of {repository}")
        return {}

    def find_findings(self, repository: str, digest: str) -> Findings | None:
        self._require(repository)
        return self._world.findings.get(digest)

    def _require(self, name: str) -> Repository:
        if name not in self._world.repositories:
            raise RepositoryNotFound(name)
        return self._world.repositories[name]

    def find_image(self, repository: str, reference: str) -> Image | None:
        self._require(repository)
        digest = self._world.tags.get((repository, reference), reference)
        tags = tuple(t for (r, t), d in self._world.tags.items() if (r, d) == (repository, digest))
        if (repository, digest) not in self._world.manifests:
            return None
        index = self._world.details.get(digest, ImageDetails()).children
        kind = "application/vnd.oci.image.index.v1+json" if index else None
        return Image(digest, tags, 1000, self._world.pushed_at.get(digest, self._world.now), kind)


class FakeRegistry:
    """Implements `ports.Registry`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def find_digest(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        check_token(self._world, image, token)
        if image.digest is not None:
            return image.digest if (image.repository, image.digest) in self._world.manifests else None
        return self._world.tags.get((image.repository, image.tag or "latest"))

    def read_details(self, image: ImageReference, token: AuthorizationToken) -> ImageDetails:
        check_token(self._world, image, token)
        if (image.repository, image.digest) not in self._world.manifests:
            raise ImageNotFound(f"no image {image}")
        return self._world.details.get(image.digest or "", ImageDetails("linux/amd64"))

    def find_image_id(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        digest = self.find_digest(image, token)
        ids = set(self._world.local.values()) | set(self._world.pushed)
        return next((each for each in sorted(ids) if digest_of("manifest of " + each) == digest), None)

    def copy_image(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
        *,
        progress: ProgressSink,
    ) -> str:
        check_token(self._world, source, source_token)
        check_token(self._world, target, target_token)
        assert source.digest is not None
        if (source.repository, source.digest) not in self._world.manifests:
            raise ImageNotFound(f"no image {source}")
        key = (target.repository, target.tag or "latest")
        if self._world.repositories[target.repository].tags_immutable and key in self._world.tags:
            raise TagImmutable("tag is immutable", standing=self._world.tags[key], wanted=source.digest)
        self._world.tags[key] = source.digest
        self._world.manifests.add((target.repository, source.digest))
        self._world.changes.append(f"copy to {target.repository}:{target.tag}")
        return source.digest


class FakeEngine:
    """Implements `ports.Engine`; an image's id depends on its Dockerfile's text."""

    def __init__(self, world: World) -> None:
        self._world = world

    def version(self) -> str:
        return "28.0"

    def find_image_id(self, image: str) -> str | None:
        return image if image in self._world.local.values() else self._world.local.get(image)

    def build(
        self,
        context: Path,
        *,
        dockerfile: str,
        tags: Sequence[str],
        build_args: Mapping[str, str],
        progress: ProgressSink,
    ) -> str:
        if not (context / dockerfile).is_file():
            raise BuildError(f"no Dockerfile {dockerfile!r}")
        image_id = digest_of((context / dockerfile).read_text())
        self._world.local[image_id] = image_id
        progress(Progress("build", "step 1"))
        for tag in tags:
            self._world.local[tag] = image_id
        return image_id

    def list_context(self, context: Path, *, dockerfile: str) -> tuple[str, ...]:
        """Knows no .dockerignore."""
        return tuple(sorted(str(path.relative_to(context)) for path in context.rglob("*")))

    def tag(self, source: str, target: ImageReference) -> None:
        image_id = self.find_image_id(source)
        if image_id is None:
            raise ImageNotFound(f"no local image {source!r}")
        self._world.local[str(target)] = image_id

    def push(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        if image.tag is None:
            raise PushError(f"{image} has no tag")
        check_token(self._world, image, token)
        image_id = self._world.local[str(image)]
        digest = digest_of("manifest of " + image_id)
        key = (image.repository, image.tag or "latest")
        if (
            self._world.repositories[image.repository].tags_immutable
            and self._world.tags.get(key, digest) != digest
        ):
            raise TagImmutable("tag is immutable", standing="", wanted=None)
        self._world.tags[key] = digest
        self._world.manifests.add((image.repository, digest))
        self._world.pushed_at.setdefault(digest, self._world.now)
        self._world.pushed.setdefault(image_id, set()).add(image.with_digest(digest))
        self._world.changes.append(f"push {image.repository}:{image.tag}")
        return digest

    def pull(self, image: ImageReference, token: AuthorizationToken, *, progress: ProgressSink) -> str:
        check_token(self._world, image, token)
        digest = image.digest or self._world.tags.get((image.repository, image.tag or "latest"))
        for image_id, references in self._world.pushed.items():
            if digest in {reference.digest for reference in references}:
                self._world.local[str(image)] = image_id
                return image_id
        raise ImageNotFound(f"no image {image}")

    def pushed_digests(self, image: str) -> tuple[ImageReference, ...]:
        return tuple(self._world.pushed.get(self.find_image_id(image) or "", ()))


class FakeLayer0(FakeEnvironments):
    """Implements `ports.Layer0`; a deployment runs at the second look, as real ones take a while."""

    def __init__(self, world: World, *, crashes: Sequence[str] = (), exit_code: int = 0) -> None:
        self._world = world
        self._crashes = tuple(crashes)
        self._exit_code = exit_code
        super().__init__()
        self.deploys: list[Deploy] = []
        self.tasks: dict[str, Summary] = {}
        self._looks = 0

    def version(self) -> str:
        return "v0.12.6"

    def list_deploys(self, name: str) -> tuple[Deploy, ...]:
        return tuple(replace(each, dockerrun=None) for each in self.deploys if each.name == name)

    def list_all_deploys(self) -> tuple[Deploy, ...]:
        return tuple(
            replace(each, dockerrun=None) for each in sorted(self.deploys, key=lambda d: (d.name, d.version))
        )

    def find_latest_deploy(self, name: str) -> Deploy | None:
        return next(reversed(self.list_deploys(name)), None)

    def read_deploy(self, deploy_id: str) -> Deploy:
        for each in self.deploys:
            if each.deploy_id == deploy_id:
                return each
        raise EntityNotFound(f"no deploy {deploy_id}", status=404, code=23)

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        version = 1 + max((each.version for each in self.deploys if each.name == name), default=0)
        self.deploys.append(Deploy(f"{name}.{version}", name, version, dockerrun))
        self._world.changes.append(f"create deploy {name}.{version}")
        return self.deploys[-1]

    def delete_deploy(self, deploy_id: str) -> None:
        self.deploys.remove(self.read_deploy(deploy_id))

    def find_service(self, environment_id: str, name: str) -> Service | None:
        return next(
            (s for s in self.services.values() if (s.environment_id, s.name) == (environment_id, name)), None
        )

    def read_service(self, service_id: str) -> Service:
        if service_id not in self.services:
            raise EntityNotFound(f"no service {service_id}", status=404, code=24)
        self._looks += 1
        service = self.services[service_id]
        primary = service.deployments[0]
        if self._crashes:
            primary = replace(primary, stopped_reasons=self._crashes[: self._looks - 1])
        elif self._looks > 1:
            primary = replace(primary, running_count=primary.desired_count)
        self.services[service_id] = replace(
            service, running_count=primary.running_count, deployments=(primary,)
        )
        return self.services[service_id]

    def create_service(
        self, environment_id: str, name: str, deploy_id: str, *, load_balancer_id: str = ""
    ) -> Service:
        deployments = (self._deployment(deploy_id),)
        service = Service(
            f"{name[:7]}00000", name, environment_id, 1, 0, 0, deployments, load_balancer_id or None
        )
        self.services[service.service_id] = service
        self._world.changes.append(f"create service {name}")
        return service

    def update_service(self, service_id: str, deploy_id: str) -> Service:
        self._looks = 0
        self.services[service_id] = replace(
            self.services[service_id], running_count=0, deployments=(self._deployment(deploy_id),)
        )
        self._world.changes.append(f"update service to {deploy_id}")
        return self.services[service_id]

    def list_services(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        return tuple(
            Summary(s.service_id, s.name, s.environment_id, self._name(s.environment_id))
            for s in sorted(self.services.values(), key=lambda each: each.name)
            if environment_id in (None, s.environment_id)
        )

    def scale_service(self, service_id: str, desired_count: int) -> Service:
        service = self.read_service(service_id)
        deployment = replace(service.deployments[0], desired_count=desired_count, running_count=desired_count)
        self.services[service_id] = replace(
            service, desired_count=desired_count, running_count=desired_count, deployments=(deployment,)
        )
        self._world.changes.append(f"scale service to {desired_count}")
        return self.services[service_id]

    def delete_service(self, service_id: str) -> str:
        return self.ended(service_id, failed=self.services.pop(service_id, None) is None)

    def service_logs(
        self, service_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        return (ContainerLog("timeout", ("starting", "cannot open /etc/app")),)

    def create_task(
        self, environment_id: str, name: str, deploy_id: str, overrides: Mapping[str, Mapping[str, str]]
    ) -> str:
        self._world.changes.append(f"create task {name}")
        task_id = f"task{len(self.tasks):08d}"
        self.tasks[task_id] = Summary(task_id, name, environment_id, self._name(environment_id))
        request = {
            "container_overrides": [
                {"container_name": container, "environment_overrides": dict(values)}
                for container, values in overrides.items()
            ],
            "deploy_id": deploy_id,
            "environment_id": environment_id,
            "task_name": name,
        }
        return self.ended(json.dumps(request), meta=(("task_id", task_id),))

    def read_job(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise EntityNotFound(f"no job {job_id}", status=404, code=25)
        return self.jobs[job_id]

    def read_task(self, task_id: str) -> Task:
        container = TaskContainer("timeout", "STOPPED", self._exit_code, "")
        return Task(task_id, "task", "demo24e9e412", "timeout.1", 0, 0, "", (container,))

    def list_tasks(self, environment_id: str | None = None) -> tuple[Summary, ...]:
        return tuple(each for each in self.tasks.values() if environment_id in (None, each.environment_id))

    def delete_task(self, task_id: str) -> None:
        if self.tasks.pop(task_id, None) is None:
            raise EntityNotFound(f"no task {task_id}", status=404, code=29)

    def list_jobs(self) -> tuple[Job, ...]:
        return tuple(self.jobs.values())

    def delete_job(self, job_id: str) -> None:
        del self.jobs[job_id]

    def task_logs(
        self, task_id: str, *, tail: int = 0, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[ContainerLog, ...]:
        return (ContainerLog("timeout", ("done",)),)

    def _deployment(self, deploy_id: str) -> Deployment:
        return Deployment("ecs-svc/1", deploy_id, "PRIMARY", 1, 0, 0, self._world.now)


def check_token(world: World, image: ImageReference, token: AuthorizationToken) -> None:
    """Refuse what a registry refuses."""
    if token.password not in world.valid_passwords:
        raise AuthorizationError("Your authorization token has expired.")
    if image.repository not in world.repositories:
        raise RepositoryNotFound(f"no repository {image.repository}")
