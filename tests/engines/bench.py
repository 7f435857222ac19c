"""One engine with a sandbox on it, and what a user would call: the command line, in processes of its own."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import requests

ROOT = Path(__file__).parents[2]
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said to people."""

    code: int
    stdout: str
    stderr: str

    @property
    def words(self) -> str:
        """The last thing it said, which is why it failed where it did."""
        lines = [line for line in (self.stderr.strip() or self.stdout.strip()).splitlines() if line.strip()]
        return lines[-1].removeprefix("ecr-widgets: ") if lines else f"exit code {self.code}"

    @property
    def document(self) -> dict[str, Any]:
        """What it printed for programs."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found


@dataclass
class Bench:
    """Calls on one engine.

    Args:
        source: The checkout whose product is tried.

        folder: For what the calls leave.

        plugin: A buildx for those calls that are to find one.
    """

    docker_host: str
    source: Path
    folder: Path
    plugin: Path
    sandbox_environ: dict[str, str] = field(default_factory=dict)
    before: set[str] = field(default_factory=set)
    """What the engine held before the sandbox."""

    @property
    def environ(self) -> dict[str, str]:
        """What a command finds: nothing of this user's, and the sandbox once it is up."""
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.folder),
            "PYTHONPATH": str(self.source),
            "DOCKER_HOST": self.docker_host,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.sandbox_environ,
        }

    def call(self, *words: str | Path) -> Done:
        """Run a command of the product."""
        return self.run(Path(sys.executable).with_name("ecr-widgets"), *words)

    def run(self, *command: str | Path, cwd: Path | None = None) -> Done:
        """Run any command."""
        done = subprocess.run(
            command,
            env=self.environ,
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def up(self) -> Done:
        """Start a sandbox, for all calls from now on."""
        done = self.call("sandbox", "up")
        if done.code == 0:
            lines = self.call("sandbox", "env").stdout.splitlines()
            self.sandbox_environ = dict(
                shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export ")
            )
        return done

    def down(self) -> Done:
        """Stop the sandbox."""
        done = self.call("sandbox", "down")
        self.sandbox_environ = {}
        return done

    def runbook(self, name: str, **parameters: str) -> Done:
        """Run a shipped runbook."""
        given = [word for pair in parameters.items() for word in ("-p", *pair)]
        return self.call("run", name, "--json", "--runs", self.folder / "runs", *given)

    @contextmanager
    def buildx(self) -> Iterator[None]:
        """Commands find the plug-in for as long as this lasts, in this user's own folder."""
        link = self.folder / ".docker" / "cli-plugins" / "docker-buildx"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(self.plugin)
        try:
            yield
        finally:
            link.unlink()

    @contextmanager
    def engine(self) -> Iterator[docker.DockerClient]:
        """A client of the engine itself."""
        client = docker.DockerClient(base_url=self.docker_host, timeout=120)
        try:
            yield client
        finally:
            client.close()

    def content(self) -> set[str]:
        """All that the engine holds."""
        with self.engine() as engine:
            images = engine.api.images(all=True)
            names = {
                name
                for image in images
                for name in [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
            }
            volumes = engine.api.volumes().get("Volumes") or ()
            return (
                {image["Id"] for image in images}
                | names
                | {container["Id"] for container in engine.api.containers(all=True)}
                | {network["Name"] for network in engine.api.networks()}
                | {volume["Name"] for volume in volumes}
            )

    def remove_images(self, prefix: str) -> None:
        """Remove the images whose names begin with it, or with it after a host that Podman puts in front."""
        with self.engine() as engine:
            for image in engine.api.images():
                for name in image.get("RepoTags") or ():
                    if name.removeprefix("docker.io/").removeprefix("localhost/").startswith(prefix):
                        engine.api.remove_image(name, force=True)

    def build(self, dockerfile: str, name: str) -> str:
        """Build with the engine's own builder."""
        with self.engine() as engine:
            image, _ = engine.images.build(fileobj=io.BytesIO(dockerfile.encode()), tag=name, rm=True)
            return str(image.id)

    def file_of(self, image: str, path: str) -> str | None:
        """What a file of an image holds, None where it has none."""
        with self.engine() as engine:
            container = engine.api.create_container(image, ["true"], network_disabled=True)["Id"]
            try:
                chunks, _ = engine.api.get_archive(container, path)
                with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
                    file = tar.extractfile(tar.getmembers()[0])
                    return file.read().decode() if file is not None else None
            except docker.errors.NotFound:
                return None
            finally:
                engine.api.remove_container(container, force=True)

    def ecr(self) -> Any:
        """A client of the sandbox's ECR."""
        import boto3

        return boto3.client(
            "ecr",
            endpoint_url=self.sandbox_environ["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=self.sandbox_environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.sandbox_environ["AWS_SECRET_ACCESS_KEY"],
        )

    def create_repository(self, name: str, *, immutable: bool = False) -> None:
        """Make a repository."""
        mutability = "IMMUTABLE" if immutable else "MUTABLE"
        self.ecr().create_repository(repositoryName=name, imageTagMutability=mutability)

    def digest(self, repository: str, tag: str) -> str | None:
        """What a tag stands on, None where there is no such tag."""
        answer = self._ask(
            "HEAD", f"{repository}/manifests/{tag}", headers={"Accept": f"{INDEX}, {MANIFESTS}"}
        )
        return answer.headers["Docker-Content-Digest"] if answer.status_code == 200 else None

    def put_index(self, repository: str, tag: str, *, of: str, platforms: tuple[str, ...]) -> str:
        """Store an index of an image that is there, once for each architecture, and give the index's digest.

        Args:
            of: Tag of an image in the same repository.
        """
        answer = self._ask("GET", f"{repository}/manifests/{of}", headers={"Accept": MANIFESTS})
        manifest, media_type = answer.json(), answer.headers["Content-Type"]
        config = self._ask("GET", f"{repository}/blobs/{manifest['config']['digest']}").json()
        entries = []
        for architecture in platforms:
            content = answer.content
            if architecture != config["architecture"]:
                blob = json.dumps({**config, "architecture": architecture}).encode()
                self._ask("POST", f"{repository}/blobs/uploads/?digest={_digest(blob)}", data=blob)
                entry = {**manifest["config"], "digest": _digest(blob), "size": len(blob)}
                content = json.dumps({**manifest, "config": entry}).encode()
                headers = {"Content-Type": media_type}
                self._ask("PUT", f"{repository}/manifests/{_digest(content)}", data=content, headers=headers)
            platform = {"os": "linux", "architecture": architecture}
            entries.append(
                {
                    "mediaType": media_type,
                    "digest": _digest(content),
                    "size": len(content),
                    "platform": platform,
                }
            )
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        self._ask("PUT", f"{repository}/manifests/{tag}", data=index, headers={"Content-Type": INDEX})
        return _digest(index)

    def pull(self, repository: str, tag: str) -> str:
        """Have the engine pull, and give the image's local name."""
        registry, user, password = self._login()
        with self.engine() as engine:
            engine.api.pull(
                f"{registry}/{repository}", tag, auth_config={"username": user, "password": password}
            )
        return f"{registry}/{repository}:{tag}"

    def architecture(self) -> str:
        """The engine's own, as images name it."""
        with self.engine() as engine:
            return str(engine.version()["Arch"])

    def _login(self) -> tuple[str, str, str]:
        issued = self.ecr().get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(issued["authorizationToken"]).decode().partition(":")
        return issued["proxyEndpoint"].partition("://")[2], user, password

    def _ask(self, method: str, path: str, **more: Any) -> requests.Response:
        registry, user, password = self._login()
        answer = requests.request(
            method, f"http://{registry}/v2/{path}", auth=(user, password), timeout=30, **more
        )
        if method != "HEAD":
            answer.raise_for_status()
        return answer


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
