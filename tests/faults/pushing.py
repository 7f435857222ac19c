"""One local image and one empty repository in the sandbox, and what brings the one into the other."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest import mock

import boto3
import docker
import urllib3

from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.adapters.registry_protocol import MANIFESTS, authorization
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.copy_image import CopyImage
from ecr_widgets.steps.push_image import PushImage, PushOutcome
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.registry_session import RegistrySession
from tests.fakes import World
from tests.fakes.connections import FakeConnections, make_outside, perform
from tests.faults.plan import Attempt, leaving_sockets
from tests.faults.rows.replies import environ_of, short_name

LAYER_BYTES = 200_000


class SessionThrough(RegistrySession):
    """A session's own tokens, as if its registry were at another host, such as a proxy's."""

    def __init__(self, session: RegistrySession, host: str) -> None:
        super().__init__(session.ecr, session.clock)
        self._real, self._host = session, host

    def token(self) -> AuthorizationToken:
        return replace(self._real.token(), registry=self._host)

    def renew(self) -> AuthorizationToken:
        return replace(self._real.renew(), registry=self._host)


@dataclass(frozen=True)
class Bench:
    """One local image, one empty repository, and all it takes to bring the one into the other."""

    name: str
    host: str
    """The registry's own, past any proxy."""
    image_id: str
    ecr: BotoEcr
    session: RegistrySession
    engine: DockerEngine
    registry: OciRegistry
    issued: list[str]
    """Passwords of the tokens so far."""

    def target(self, host: str, tag: str = "1") -> ImageReference:
        """The repository as seen through that host."""
        return ImageReference(host, self.name, tag=tag)

    def push(self, host: str, tag: str = "1") -> PushOutcome:
        """Push through that host."""
        return self.push_as(self.target(host, tag))

    def push_as(self, target: ImageReference) -> PushOutcome:
        """Push under that name."""
        step = PushImage(self.image_id, repository=target.repository, tag=target.tag or "")
        return perform(step, self._outside(target.registry or ""))

    def copy(self, source_host: str, host: str) -> PushOutcome:
        """Copy what `seed` pushed through that host."""
        # As if the target were another account's where it has another host.
        profile = "" if source_host == host else host
        source = f"{self.name}-source"
        step = CopyImage(source, "1", to_repository=self.name, to_tag="1", to_profile=profile)
        return perform(step, self._outside(source_host, host))

    def _outside(self, *hosts: str) -> Outside:
        """All that is real here: the first host is that of the registry, others are known as profiles."""
        to = FakeConnections(World())
        to.clock = SystemClock()  # type: ignore[assignment]
        to.ecr = self.ecr  # type: ignore[assignment]
        to.registry = self.registry  # type: ignore[assignment]
        to.engine = self.engine  # type: ignore[assignment]
        own, *others = (SessionThrough(self.session, host) for host in hosts)
        profiles = {(host, ""): session for host, session in zip(hosts[1:], others, strict=True)}
        return replace(make_outside(to), _sessions={**profiles, ("", ""): own})

    def seed(self) -> None:
        """Push the image to where copies are made from, with nothing between."""
        self.ecr.create_repository(f"{self.name}-source", tags_immutable=False, scan_on_push=False)
        self.push_as(ImageReference(self.host, f"{self.name}-source", tag="1"))

    def check(self, digest: str, tag: str = "1") -> None:
        """What the registry really serves under the tag is the digest, whole, and is the local image."""
        headers = authorization(self.ecr.authorization_token()) | {"Accept": MANIFESTS}
        with urllib3.PoolManager() as http:

            def read(path: str) -> bytes:
                answer = http.request(
                    "GET", f"http://{self.host}/v2/{self.name}/{path}", headers=headers, retries=False
                )
                assert answer.status == 200, f"{path}: {answer.status} {answer.data[:200]!r}"
                return bytes(answer.data)

            body = read(f"manifests/{tag}")
            served = f"sha256:{hashlib.sha256(body).hexdigest()}"
            assert served == digest, f"{digest} was claimed, {served} is served"
            manifest = json.loads(body)
            assert manifest["config"]["digest"] == self.image_id, "another image is served"
            for part in (manifest["config"], *manifest["layers"]):
                blob = read(f"blobs/{part['digest']}")
                assert f"sha256:{hashlib.sha256(blob).hexdigest()}" == part["digest"], "a spoilt blob"


@contextmanager
def bench(at: Attempt, *, immutable: bool = False) -> Iterator[Bench]:
    """A bench of the try's own; the image and the variables go with it."""
    with leaving_sockets(), mock.patch.dict("os.environ", environ_of(at)):
        name = f"faults/{short_name(at)}"
        ecr = BotoEcr(boto3.Session())
        ecr.create_repository(name, tags_immutable=immutable, scan_on_push=False)
        client = docker.from_env(timeout=60)
        issued: list[str] = []
        made = client.api.import_image_from_data(_files(at), repository=name, tag="local")
        image_id = json.loads(made.splitlines()[-1])["status"]
        host = at.sandbox().status().registry_host
        assert host is not None
        session = RegistrySession(ecr, SystemClock(), on_secret=issued.append)
        try:
            yield Bench(name, host, image_id, ecr, session, DockerEngine(), OciRegistry(), issued)
        finally:
            client.images.remove(image_id, force=True)
            client.close()


def _files(at: Attempt) -> bytes:
    """A file system that no other image has."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as files:
        content = at.rng.randbytes(LAYER_BYTES)
        entry = tarfile.TarInfo("content")
        entry.size = len(content)
        files.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def naive_push(here: Bench, host: str, tag: str = "1") -> str:
    """What scripts do: push with docker-py, and take what it says for a success without a look at the stream."""
    target, token = here.target(host, tag), here.session.token()
    client = docker.from_env(timeout=60)
    try:
        client.api.tag(here.image_id, target.name, tag)
        said = client.images.push(
            target.name, tag=tag, auth_config={"username": token.user, "password": token.password}
        )
    finally:
        client.close()
    digests = [json.loads(line).get("aux", {}).get("Digest") for line in said.splitlines() if line.strip()]
    return next((each for each in digests if each), "")
