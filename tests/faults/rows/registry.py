"""Part C before the registry: refusals, cut lines and lost replies while an image is pushed or copied."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from unittest import mock

import boto3
import docker
import urllib3

from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.adapters.ecr import BotoEcr
from ecr_widgets.adapters.registry import MANIFESTS, OciRegistry, authorization
from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.copy_image import copy_image
from ecr_widgets.steps.login import RegistrySession
from ecr_widgets.steps.push_image import PushOutcome, push_image
from tests.faults.plan import Attempt, leaving_sockets, row
from tests.faults.proxies import Do, Proxy, kth, proxy, refused
from tests.faults.rows.replies import environ_of, short_name

LAYER_BYTES = 200_000


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
        return push_image(self.engine, self.registry, self.session, self.image_id, self.target(host, tag))

    def copy(self, source_host: str, host: str) -> PushOutcome:
        """Copy what `seed` pushed through that host."""
        source = ImageReference(source_host, f"{self.name}-source", tag="1")
        return copy_image(self.registry, self.session, source, self.session, self.target(host))

    def seed(self) -> None:
        """Push the image to where copies are made from, with nothing between."""
        self.ecr.create_repository(f"{self.name}-source", tags_immutable=False, scan_on_push=False)
        source = ImageReference(self.host, f"{self.name}-source", tag="1")
        push_image(self.engine, self.registry, self.session, self.image_id, source)

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


STATUSES = (500, 502, 503, 429)
# How many requests an undisturbed push, copy and copy by mounting make.
PUSHED, COPIED, MOUNTED = 14, 10, 10


def _try(here: Bench, act: Callable[[], PushOutcome]) -> bool:
    """Whether it succeeded; a success must be one, and a failure must be told by an error of ours."""
    try:
        outcome = act()
    except EcrWidgetsError as error:
        assert str(error), "an error without a word"
        return False
    here.check(outcome.digest)
    return True


def _refused(at: Attempt, *, naive: bool = False) -> None:
    status = STATUSES[at.seed % len(STATUSES)]
    after_s = at.rng.choice((None, 1)) if status in (429, 503) else None
    kind = ("copied", "mounted", "pushed")[at.seed % 3]
    with bench(at) as here:
        if naive:
            with proxy(here.host, lambda asked: refused(503) if asked.method == "PUT" else Do.PASS) as there:
                here.check(naive_push(here, there.host))
            return
        if kind != "pushed":
            here.seed()
        number = at.rng.randrange(1, {"copied": COPIED, "mounted": MOUNTED, "pushed": PUSHED}[kind] + 1)
        with proxy(here.host, kth(number, refused(status, after_s=after_s))) as there:
            act = (
                partial(here.push, there.host)
                if kind == "pushed"
                else partial(here.copy, there.host if kind == "mounted" else here.host, there.host)
            )
            held = _try(here, act)
            if after_s and kind != "pushed":
                _waited(there, number, after_s)
            assert held or _try(here, act), "it failed once more, with nothing in its way"


def _waited(there: Proxy, number: int, after_s: int) -> None:
    """The registry's wish for a pause is obeyed by whoever asks again."""
    if len(there.asked) > number:
        before, again = there.asked[number - 1 : number + 1]
        if (before.method, before.target) == (again.method, again.target):
            assert again.at_s - before.at_s >= after_s, "asked again before the time that Retry-After gave"


@row(
    28,
    "the registry answers one request of a push or a copy with 500, 502, 503 or 429",
    tries=200,
    quick=6,
    control=lambda at: _refused(at, naive=True),
)
def refused_once(at: Attempt) -> None:
    """It succeeds, or fails by an error of ours and succeeds the next time; `Retry-After` is obeyed."""
    _refused(at)


CUTS = (Do.RESET, Do.EOF, Do.HALF_REQUEST, Do.HALF_REPLY, Do.LOST_REPLY, Do.SLOW, Do.NOTHING)
PATIENCE_S = 2
"""How long a try waits for an answer; people wait for minutes."""


def _cut(at: Attempt, *, naive: bool = False) -> None:
    what = CUTS[at.seed % len(CUTS)]
    kind = at.rng.choice(("copied", "mounted", "pushed"))
    with bench(at) as here, _impatient(here):
        if naive:
            with proxy(
                here.host,
                lambda asked: (
                    Do.HALF_REPLY if asked.method == "PUT" and "manifests" in asked.target else Do.PASS
                ),
            ) as there:
                here.check(naive_push(here, there.host))
            return
        if kind != "pushed":
            here.seed()
        number = at.rng.randrange(1, {"copied": COPIED, "mounted": MOUNTED, "pushed": PUSHED}[kind] + 1)
        with proxy(here.host, kth(number, what)) as there:
            act = (
                partial(here.push, there.host)
                if kind == "pushed"
                else partial(here.copy, there.host if kind == "mounted" else here.host, there.host)
            )
            held = _try(here, act)
            assert held or what is not Do.SLOW, "a slow answer is an answer"
            assert held or _try(here, act), "it failed once more, with nothing in its way"


@contextmanager
def _impatient(here: Bench) -> Iterator[None]:
    """Shorter waits for answers, so that a registry that never answers costs seconds."""
    patient = docker.from_env
    here.registry._http.connection_pool_kw["timeout"] = urllib3.Timeout(connect=5.0, read=PATIENCE_S)

    def impatient(**more: object) -> docker.DockerClient:
        return patient(**more | {"timeout": PATIENCE_S * 4})

    with mock.patch("docker.from_env", impatient):
        yield


@row(
    29,
    "the line to the registry is reset, closed, cut half-way, slow or dead at one request of a push or a copy",
    tries=200,
    quick=7,
    control=lambda at: _cut(at, naive=True),
)
def cut(at: Attempt) -> None:
    """What is called a success is served, whole; what failed succeeds the next time."""
    _cut(at)
