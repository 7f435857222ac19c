"""One set of cases for the registry's data plane: in memory, the sandbox's, and docker-registry, which is not ours."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import boto3
import pytest
import urllib3

from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.errors import (
    AuthorizationError,
    ImageNotFound,
    RegistryError,
    RegistryUnavailable,
    RepositoryNotFound,
)
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import EMPTY_CONFIG, IMAGE_MANIFEST, fallback_tag
from ecr_widgets.model.registry import Child
from ecr_widgets.ports import Progress, Registry, ignore_progress
from ecr_widgets.sandbox import Sandbox
from tests.fakes import FakeEcr, FakeRegistry, World, digest_of
from tests.ports import free_port

MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def token_for(host: str, password: str = "unused") -> AuthorizationToken:
    return AuthorizationToken(host, "AWS", password, NOW, NOW + timedelta(hours=12))


@dataclass(frozen=True)
class Stocked:
    """A registry with the repository `contract/case`, a token for it, and a way to store an image under a tag."""

    registry: Registry
    token: AuthorizationToken
    push: Callable[[str, bytes], str]

    def image(self, name: str) -> ImageReference:
        return ImageReference.parse(f"{self.token.registry}/contract/case{name}")

    def copied(self, tag: str) -> ImageReference:
        return ImageReference.parse(f"{self.token.registry}/contract/copied:{tag}")

    def find(self, name: str) -> str | None:
        return self.registry.find_digest(self.image(name), self.token)


@pytest.fixture(params=["fake", "sandbox", "docker-registry"])
def stocked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stocked]:
    """Each case runs against all three registries."""
    if request.param == "fake":
        yield _in_memory()
        return
    if request.param == "sandbox":
        token = _in_sandbox(request.getfixturevalue("sandbox"))
        yield Stocked(OciRegistry(), token, partial(push, token))
        return
    with docker_registry(tmp_path) as token:
        yield Stocked(OciRegistry(), token, partial(push, token))


@contextmanager
def docker_registry(folder: Path) -> Iterator[AuthorizationToken]:
    """Docker's own registry, which accepts any token."""
    binary = shutil.which("docker-registry")
    if binary is None:
        pytest.skip("docker-registry is not installed: apt-get install docker-registry")
    port = free_port()
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'blobs'}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    process = subprocess.Popen(
        [binary, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield token_for(f"127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


def _in_memory() -> Stocked:
    world = World()
    ecr = FakeEcr(world)
    for name in ("contract/case", "contract/copied"):
        ecr.create_repository(name, tags_immutable=False, scan_on_push=False)

    def store(tag: str, content: bytes) -> str:
        digest = world.tags["contract/case", tag] = digest_of(repr(content))
        world.manifests.add(("contract/case", digest))
        return digest

    return Stocked(FakeRegistry(world), ecr.authorization_token(), store)


def _in_sandbox(sandbox: Sandbox) -> AuthorizationToken:
    env = sandbox.env()
    ecr = boto3.client(
        "ecr",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    standing = {each["repositoryName"] for each in ecr.describe_repositories()["repositories"]}
    for name in {"contract/case", "contract/copied"} - standing:
        ecr.create_repository(repositoryName=name)
    issued = ecr.get_authorization_token()["authorizationData"][0]
    return AuthorizationToken.decode(
        issued["authorizationToken"],
        proxy_endpoint=issued["proxyEndpoint"],
        issued_at=NOW,
        expires_at=issued["expiresAt"],
    )


def _wait_for(port: int) -> None:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(port)


def push(token: AuthorizationToken, tag: str, content: bytes) -> str:
    """Store an image of one layer by the protocol's own calls, and return its digest."""
    http = urllib3.PoolManager()
    base = f"http://{token.registry}/v2/contract/case"
    headers = urllib3.make_headers(basic_auth=f"{token.user}:{token.password}")
    parts = []
    for blob in (content, b"{}" + content):
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        started = http.request("POST", f"{base}/blobs/uploads/", headers=headers)
        location = urllib3.util.parse_url(started.headers["Location"])
        query = f"{location.query}&" if location.query else ""
        where = f"http://{token.registry}{location.path}?{query}digest={digest}"
        assert http.request("PUT", where, body=blob, headers=headers).status == 201
        parts.append({"mediaType": "application/octet-stream", "size": len(blob), "digest": digest})
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": parts[1], "layers": parts[:1]}
    ).encode()
    stored = http.request(
        "PUT", f"{base}/manifests/{tag}", body=manifest, headers={**headers, "Content-Type": MEDIA_TYPE}
    )
    assert stored.status == 201
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def test_a_pushed_image_is_found_by_tag_and_digest(stocked: Stocked) -> None:
    """A pushed image is found by tag and by digest, with its manifest's digest."""
    digest = stocked.push("one", b"layer")
    assert [stocked.find(":one"), stocked.find(f"@{digest}")] == [digest, digest]


def test_a_tag_moves_to_the_newest_push(stocked: Stocked) -> None:
    """A tag names the last push, and the older image is still found by digest."""
    first, second = stocked.push("moving", b"first"), stocked.push("moving", b"second")
    assert (stocked.find(":moving"), stocked.find(f"@{first}")) == (second, first)


def test_a_missing_image_is_none(stocked: Stocked) -> None:
    """Looking for an unknown tag finds None."""
    stocked.push("one", b"layer")
    assert stocked.find(":nobody") is None


@pytest.mark.parametrize("stocked", ["fake", "sandbox"], indirect=True)
def test_a_wrong_password_and_a_missing_repository_are_told_apart(stocked: Stocked) -> None:
    """A wrong password and a missing repository give different errors."""
    wrong = replace(stocked.token, password="wrong-password")
    with pytest.raises(AuthorizationError):
        stocked.registry.find_digest(stocked.image(":one"), wrong)
    elsewhere = ImageReference.parse(f"{stocked.token.registry}/contract/nobody:one")
    with pytest.raises(RepositoryNotFound):
        stocked.registry.find_digest(elsewhere, stocked.token)


def test_a_copy_has_the_same_digest(stocked: Stocked) -> None:
    """A copy has the source's digest, can be repeated, and of a missing image is an error."""
    digest = stocked.push("copied", b"to be copied")
    source = stocked.image(f"@{digest}")
    for _ in range(2):
        done = stocked.registry.copy_image(
            source, stocked.token, stocked.copied("new"), stocked.token, progress=ignore_progress
        )
        assert done == digest
    for name in (":new", f"@{digest}"):
        found = ImageReference.parse(f"{stocked.token.registry}/contract/copied{name}")
        assert stocked.registry.find_digest(found, stocked.token) == digest
    with pytest.raises(ImageNotFound):
        stocked.registry.copy_image(
            stocked.image("@sha256:" + "0" * 64),
            stocked.token,
            stocked.copied("none"),
            stocked.token,
            progress=ignore_progress,
        )


@pytest.mark.parametrize("layers", ["null", "[]"])
def test_an_image_without_layers_is_put_read_and_copied(stocked: Stocked, layers: str) -> None:
    """An image without layers is an image, also in BuildKit's spelling, which has null for them."""
    image = stocked.image(":empty")
    config = b'{"os": "linux", "architecture": "amd64"}'
    digest = stocked.registry.put_blob(image, config, stocked.token)
    described = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "size": len(config),
        "digest": digest,
    }
    content = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": described})
    content = f'{content[:-1]}, "layers": {layers}}}'
    stocked.registry.put_manifest(image, content.encode(), IMAGE_MANIFEST, stocked.token)
    put = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    assert stocked.find(":empty") == put
    source, target = stocked.image(f"@{put}"), stocked.copied(f"empty-{layers.strip('[]')}")
    assert stocked.registry.read_details(source, stocked.token).platform == "linux/amd64"
    stocked.registry.copy_image(source, stocked.token, target, stocked.token, progress=ignore_progress)
    assert stocked.registry.find_digest(target, stocked.token) == put


# Docker's registry takes them only from addresses that its settings name.
@pytest.mark.parametrize("stocked", ["sandbox"], indirect=True)
def test_a_layer_that_is_stored_elsewhere_stays_there(stocked: Stocked) -> None:
    """An image with a layer at another address, as those of Windows, is put and copied without that layer."""
    image = stocked.image(":windows")
    config = b'{"os": "windows", "architecture": "amd64"}'
    digest = stocked.registry.put_blob(image, config, stocked.token)
    described = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "size": len(config),
        "digest": digest,
    }
    foreign = {"size": 7, "digest": f"sha256:{'f' * 64}", "urls": ["https://base.example/layer"]}
    foreign["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    manifest = {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": described, "layers": [foreign]}
    content = json.dumps(manifest).encode()
    stocked.registry.put_manifest(image, content, IMAGE_MANIFEST, stocked.token)
    source = stocked.image(f"@sha256:{hashlib.sha256(content).hexdigest()}")
    target = stocked.copied("windows")
    stocked.registry.copy_image(source, stocked.token, target, stocked.token, progress=ignore_progress)
    assert stocked.registry.find_digest(target, stocked.token) == source.digest


def referrer(stocked: Stocked, subject: str, number: int = 0) -> tuple[ImageReference, bytes]:
    """Put a referrer with an empty configuration and its blobs, and return its name by digest and its content."""
    image = stocked.image(f"@{subject}")
    config, layer = (
        stocked.registry.put_blob(image, blob, stocked.token) for blob in (b"{}", b"evidence %d" % number)
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "artifactType": f"application/vnd.test.kind{number % 2}",
        "config": {"mediaType": EMPTY_CONFIG, "digest": config, "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": layer, "size": len(b"evidence %d" % number)}],
        "subject": {"mediaType": MEDIA_TYPE, "digest": subject, "size": 7},
        "annotations": {"number": str(number)},
    }
    content = json.dumps(manifest).encode()
    return image.with_digest(f"sha256:{hashlib.sha256(content).hexdigest()}"), content


def test_what_refers_to_an_image_is_listed_once(stocked: Stocked) -> None:
    """A referrer is listed once with type and annotations, even if it is put twice; a blob over the limit is refused."""
    digest = stocked.push("referred", b"has referrers")
    image = stocked.image(f"@{digest}")
    assert stocked.registry.list_referrers(image, stocked.token).entries == ()
    names = []
    for number in (0, 1, 1):
        name, content = referrer(stocked, digest, number)
        stocked.registry.put_manifest(name, content, IMAGE_MANIFEST, stocked.token)
        names.append(name.digest)
        manifest = stocked.registry.read_manifest(name, stocked.token)
        assert (manifest.digest, manifest.content) == (name.digest, content)
    listed = stocked.registry.list_referrers(image, stocked.token)
    assert [each.digest for each in listed.entries] == names[:2]
    assert not listed.left_out
    first = listed.entries[0]
    assert (first.artifact_type, first.annotations) == ("application/vnd.test.kind0", {"number": "0"})
    layer = json.loads(content)["layers"][0]["digest"]
    assert stocked.registry.read_blob(image, layer, stocked.token, largest_bytes=10) == b"evidence 1"
    with pytest.raises(RegistryError, match="larger than"):
        stocked.registry.read_blob(image, layer, stocked.token, largest_bytes=9)


def test_a_referrer_is_copied_unchanged(stocked: Stocked) -> None:
    """A referrer is copied unchanged and listed with the image's copy, and copying it again changes nothing."""
    digest = stocked.push("evident", b"has evidence")
    source = stocked.image(f"@{digest}")
    stocked.registry.copy_image(
        source, stocked.token, stocked.copied("evident"), stocked.token, progress=ignore_progress
    )
    name, content = referrer(stocked, digest)
    stocked.registry.put_manifest(name, content, IMAGE_MANIFEST, stocked.token)
    target = stocked.copied("evident").with_digest(digest)
    for _ in range(2):
        stocked.registry.copy_referrer(name, stocked.token, target, stocked.token)
        listed = stocked.registry.list_referrers(target, stocked.token)
        assert [each.digest for each in listed.entries] == [name.digest]
    copied = stocked.registry.read_manifest(target.with_digest(str(name.digest)), stocked.token)
    assert copied.content == content


def test_a_subject_need_not_be_there(stocked: Stocked) -> None:
    """A referrer can be put before its image exists; reading a missing manifest or blob is an error."""
    stocked.push("one", b"layer")
    nobody = "sha256:" + "e" * 64
    name, content = referrer(stocked, nobody)
    stocked.registry.put_manifest(name, content, IMAGE_MANIFEST, stocked.token)
    listed = stocked.registry.list_referrers(stocked.image(f"@{nobody}"), stocked.token)
    assert [each.digest for each in listed.entries] == [name.digest]
    for ask in (
        lambda: stocked.registry.read_manifest(stocked.image(f"@{nobody}"), stocked.token),
        lambda: stocked.registry.read_blob(name, nobody, stocked.token, largest_bytes=10),
    ):
        with pytest.raises(ImageNotFound):
            ask()


@pytest.mark.parametrize("stocked", ["sandbox"], indirect=True)
def test_a_long_list_comes_in_pages(stocked: Stocked) -> None:
    """A list of 120 referrers is read in full, in pages, and can be limited to one type."""
    digest = stocked.push("popular", b"has many referrers")
    for number in range(120):
        name, content = referrer(stocked, digest, number)
        stocked.registry.put_manifest(name, content, IMAGE_MANIFEST, stocked.token)
    image = stocked.image(f"@{digest}")
    for wanted, count in (("", 120), ("application/vnd.test.kind1", 60)):
        listed = stocked.registry.list_referrers(image, stocked.token, artifact_type=wanted)
        assert (len(listed.entries), listed.by_tag, listed.left_out) == (count, False, "")


@pytest.mark.parametrize("stocked", ["docker-registry"], indirect=True)
def test_where_the_registry_keeps_no_list_a_tag_does(stocked: Stocked) -> None:
    """With a registry that lists no referrers, they are listed from the fallback tag, and the list says so."""
    digest = stocked.push("one", b"layer")
    name, content = referrer(stocked, digest)
    stocked.registry.put_manifest(name, content, IMAGE_MANIFEST, stocked.token)
    assert stocked.registry.list_referrers(stocked.image(f"@{digest}"), stocked.token).by_tag
    assert stocked.find(f":{fallback_tag(digest)}") is not None


def test_an_index_is_copied_with_its_images_from_registry_to_registry(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """An index is copied to another registry with its images; layers that are already there are not sent again."""
    ours = _in_sandbox(sandbox)
    children = [push(ours, f"child{number}", bytes([number]) * 3_000_000) for number in range(2)]
    index_type = "application/vnd.oci.image.index.v1+json"
    manifests = [
        {
            "mediaType": MEDIA_TYPE,
            "digest": child,
            "size": 1,
            "platform": {"os": "linux", "architecture": "arm64"},
        }
        for child in children
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": manifests}).encode()
    put = urllib3.PoolManager().request(
        "PUT",
        f"http://{ours.registry}/v2/contract/case/manifests/index",
        body=index,
        headers={
            **urllib3.make_headers(basic_auth=f"{ours.user}:{ours.password}"),
            "Content-Type": index_type,
        },
    )
    assert put.status == 201
    digest = f"sha256:{hashlib.sha256(index).hexdigest()}"
    source = ImageReference.parse(f"{ours.registry}/contract/case@{digest}")
    assert OciRegistry().read_details(source, ours).children == tuple(
        Child(child, "linux/arm64") for child in children
    )
    with docker_registry(tmp_path) as theirs:
        target = ImageReference.parse(f"{theirs.registry}/team/app:7")
        told: list[list[Progress]] = [[], []]
        for seen in told:
            assert OciRegistry().copy_image(source, ours, target, theirs, progress=seen.append) == digest
        assert OciRegistry().find_digest(target, theirs) == digest
        layers = [each for each in told[0] if each.total == 3_000_000 and each.done == each.total]
        assert [each.message for each in layers] == ["copying", "copying"]
        assert {each.message for each in told[1]} == {"already exists"}


def test_a_registry_that_is_not_there_is_unavailable() -> None:
    """A registry that does not answer is reported as unavailable."""
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(RegistryUnavailable, match="does not answer"):
        OciRegistry().find_digest(ImageReference.parse(f"{host}/a/b:1"), token_for(host))
