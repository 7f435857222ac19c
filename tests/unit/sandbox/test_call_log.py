"""What ECR holds survives the end of the sandbox's process."""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.sandbox.ecr import AccessKey, EcrSandbox
from ecr_widgets.sandbox.ecr.call_log import CallLog

KEY = AccessKey("id", "secret")
LAYER = b"a layer"
DIGEST = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"
MANIFEST = json.dumps({"layers": [{"digest": DIGEST, "size": len(LAYER)}], "mediaType": "m"})
T = TypeVar("T")


class Client:
    """A client of both the API and the registry of one ECR."""

    def __init__(self, ecr: EcrSandbox) -> None:
        self.api = boto3.client(
            "ecr",
            region_name="us-east-1",
            endpoint_url=ecr.api_url,
            aws_access_key_id=KEY.key_id,
            aws_secret_access_key=KEY.secret,
        )
        self._registry = f"http://{ecr.registry_host}/v2/app"

    def ask(self, method: str, path: str, body: bytes | None = None) -> int:
        """Send a request to the registry and return its status."""
        (issued,) = self.api.get_authorization_token()["authorizationData"]
        headers = {"Authorization": f"Basic {issued['authorizationToken']}", "Content-Type": "m"}
        request = urllib.request.Request(f"{self._registry}/{path}", body, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)

    def facts(self) -> dict[str, Any]:
        """Return all that the API reports about the repository, except its address and times."""
        (repository,) = self.api.describe_repositories(repositoryNames=["app"])["repositories"]
        images = self.api.describe_images(repositoryName="app")["imageDetails"]
        policy = self.api.get_lifecycle_policy(repositoryName="app")["lifecyclePolicyText"]
        return {
            "repository": _lasting(repository),
            "images": [_lasting(each) for each in images],
            "policy": policy,
        }

    def times(self) -> list[int]:
        """Return when the repository was made and its tagged image pushed and pulled, in seconds since the epoch."""
        (repository,) = self.api.describe_repositories(repositoryNames=["app"])["repositories"]
        (image,) = self.api.describe_images(repositoryName="app", imageIds=[{"imageTag": "one"}])[
            "imageDetails"
        ]
        times = (repository["createdAt"], image["imagePushedAt"], image["lastRecordedPullTime"])
        return [int(each.timestamp()) for each in times]


def _lasting(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if not name.endswith(("At", "Time", "Uri"))}


def on(folder: Path, act: Callable[[Client], T]) -> T:
    """Serve ECR from a folder while `act` works with it, then stop without telling the store."""

    async def serve() -> T:
        ecr = EcrSandbox(folder, access_key=KEY)
        ecr.listen()
        try:
            return await asyncio.to_thread(lambda: act(Client(ecr)))
        finally:
            await ecr.close()

    return asyncio.run(serve())


def fill(client: Client) -> dict[str, Any]:
    """Make changes through the API and the registry, move a tag, delete an image, and pull one."""
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 9},
    }
    policy = json.dumps({"rules": [rule | {"action": {"type": "expire"}}]})
    client.api.create_repository(repositoryName="app", tags=[{"Key": "team", "Value": "ä"}])
    client.api.create_repository(repositoryName="gone")
    client.api.delete_repository(repositoryName="gone")
    client.api.put_lifecycle_policy(repositoryName="app", lifecyclePolicyText=policy)
    client.ask("POST", f"blobs/uploads/?digest={DIGEST}", LAYER)
    client.ask("PUT", "manifests/one", MANIFEST.encode())
    for number in range(3):
        other = json.dumps({"layers": [], "mediaType": "m", "number": number})
        client.api.put_image(repositoryName="app", imageManifest=other, imageTag="moving")
    client.api.batch_delete_image(repositoryName="app", imageIds=[{"imageTag": "moving"}])
    client.ask("GET", "manifests/one")
    return client.facts()


def test_a_new_registry_on_the_same_folder_holds_the_same(tmp_path: Path) -> None:
    """A new registry on the same folder holds the same repositories, images, tags and policies."""
    assert on(tmp_path, fill) == on(tmp_path, Client.facts)


def test_what_is_done_again_is_of_its_own_time(tmp_path: Path) -> None:
    """Repositories, images and pulls keep their original times."""
    on(tmp_path, fill)
    path = tmp_path / "calls.jsonl"
    calls = [json.loads(line) | {"at_s": 1_700_000_000.5} for line in path.read_bytes().split(b"\n") if line]
    path.write_text("".join(json.dumps(call) + "\n" for call in calls))
    assert on(tmp_path, Client.times) == [1_700_000_000] * 3


def test_layers_of_images_are_served_again(tmp_path: Path) -> None:
    """Layers are served again, at the address where the registry listens now."""
    on(tmp_path, fill)

    def pull(client: Client) -> tuple[int, str]:
        (repository,) = client.api.describe_repositories()["repositories"]
        return client.ask("GET", f"blobs/{DIGEST}"), repository["repositoryUri"]

    status, uri = on(tmp_path, pull)
    assert status == 200
    assert uri.endswith("/app")
    assert uri.startswith("127.0.0.1:")


def test_no_secret_is_written(tmp_path: Path) -> None:
    """Issued tokens are not written to the log."""
    on(tmp_path, fill)
    assert "GetAuthorizationToken" not in (tmp_path / "calls.jsonl").read_text()


def test_half_of_a_line_is_passed_over(tmp_path: Path) -> None:
    """A line cut off by a kill is skipped, and later calls are written on lines of their own."""
    (tmp_path / "calls.jsonl").write_bytes(
        b'{"at_s": 1, "operation": "A", "parameters": {}}\n{"at_s": 2, "oper'
    )
    log = CallLog(tmp_path / "calls.jsonl")
    log.add("B", {})
    log.close()
    again = CallLog(tmp_path / "calls.jsonl")
    assert [each.operation for each in again.earlier] == ["A", "B"]
    again.close()


def test_a_file_of_another_account_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox does not start if its log belongs to another account."""
    (tmp_path / "calls.jsonl").write_bytes(b"anything")
    monkeypatch.setattr("os.geteuid", lambda: (tmp_path / "calls.jsonl").stat().st_uid + 1)
    with pytest.raises(SettingsError, match="belongs to another account"):
        EcrSandbox(tmp_path, access_key=KEY)
