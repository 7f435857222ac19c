"""S3 for tests: a real server of another project, and moto in this process."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
from botocore.config import Config

from ecr_widgets.adapters.s3_store import S3Store
from ecr_widgets.model.bucket_path import BucketPath
from tests.ports import free_ports

_PATIENCE_S = 60.0
_PORTS = tuple(f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc"))


@dataclass
class Buckets:
    """A server of S3."""

    url: str

    @property
    def environ(self) -> dict[str, str]:
        """What makes boto3 find it, and nothing else of AWS."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test-secret-key",
            "AWS_REGION": "us-east-1",
        }

    def client(self, url: str = "", **more: Any) -> Any:
        """A client of it, or of a proxy before it; made as the store's own is."""
        own = Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 1},
            **({"connect_timeout": 5, "read_timeout": 15, "max_pool_connections": 16} | more),
        )
        return boto3.client(
            "s3",
            endpoint_url=url or self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test-secret-key",
            config=own,
        )

    @cached_property
    def bucket(self) -> str:
        """One for all tests that do not need their own."""
        return self.new_bucket()

    def new_bucket(self, *, versioned: bool = False, locked: bool = False) -> str:
        """Make a bucket."""
        name, client = f"b-{uuid.uuid4().hex[:20]}", self.client()
        client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if locked else {}))
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def new_place(self) -> BucketPath:
        """A prefix of its own."""
        return BucketPath.parse(f"s3://{self.bucket}/{uuid.uuid4().hex}")

    def store(self, place: BucketPath | None = None, **more: Any) -> S3Store:
        """A store there, or under a prefix of its own."""
        return S3Store(place or self.new_place(), **({"client": self.client()} | more))


def all_objects(store: S3Store) -> dict[str, bytes]:
    """Of a place with runs: the runs, their seals, and where these are."""
    names = [name for prefix in ("", "seals/", "sealed/") for name in store.names(prefix=prefix)]
    return dict(zip(names, store.contents(names), strict=True))


def put_all(store: S3Store, objects: dict[str, bytes]) -> None:
    """Put such objects into an empty place: a third of the requests that it takes to seal the runs again."""
    for name, content in objects.items():
        store.put(name, content, replacing=None)


@contextmanager
def seaweed() -> Iterator[Buckets]:
    """SeaweedFS on this machine's loopback, gone with all its files in the end."""
    folder = Path(tempfile.mkdtemp(prefix="s3-"))
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                # Also where the tests are killed.
                *("setpriv", "--pdeathsig", "KILL"),
                str(Path(sys.executable).with_name("weed")),
                "server",
                "-s3",
                *("-s3.port.iceberg=0", "-s3.port.lance=0", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
                *(f"-dir={folder}", "-volume.max=400", "-master.volumeSizeLimitMB=32"),
                *(f"-filer.localSocket={folder}/filer", f"-s3.localSocket={folder}/s3"),
                *("-master.telemetry=false", "-volume.minFreeSpacePercent=0"),
                *(f"-{name}={port}" for name, port in ports.items()),
            ],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)},
            start_new_session=True,
        )
    try:
        buckets = Buckets(f"http://127.0.0.1:{ports['s3.port']}")
        _wait_for(buckets, server, folder)
        yield buckets
    finally:
        # It takes its time over SIGTERM, and nobody needs its files.
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
        for port in ports.values():
            # Nothing tells it to put these elsewhere.
            for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
                left.unlink()


@cache
def shared_seaweed() -> Buckets:
    """One for all of a process that need no server of their own; it ends with the process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(seaweed())


@contextmanager
def moto() -> Iterator[Buckets]:
    """moto's S3 in this process, over HTTP: without that it sends no `Date`."""
    from moto.moto_server.werkzeug_app import create_backend_app
    from werkzeug.serving import make_server

    # moto's own server serves all of AWS: at each request it looks through its folder for who answers.
    server = make_server("127.0.0.1", 0, create_backend_app("s3"), threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Buckets(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _wait_for(buckets: Buckets, server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline_s, why = time.monotonic() + _PATIENCE_S, "it did not answer"
    while server.poll() is None and time.monotonic() < deadline_s:
        try:
            # Buckets can be listed before anything can be stored.
            buckets.client().put_object(Bucket=buckets.bucket, Key="ready", Body=b"")
        except Exception as error:  # noqa: BLE001 -- whatever a server says that is not ready
            why = str(error)
            time.sleep(0.1)
        else:
            return
    log = (folder / "log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"no S3 server: {why}\n{log}")
