"""Hosts of one team: each has a home, a name and a network of its own, and shares a checkout and a bucket with the others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from ecr_widgets.audit.keys import KeyRing, export_keys
from ecr_widgets.model.bucket_path import BucketPath
from ecr_widgets.sandbox import Sandbox
from tests.buckets import Buckets
from tests.faults import forked
from tests.private_network import PrivateNetwork

BIN = Path(sys.executable).parent
LEASE_S = 6.0


@dataclass
class Host:
    """A host; where this user may make no networks and names, one with a home of its own only."""

    name: str
    home: Path
    checkout: Path
    place: BucketPath
    environ: Mapping[str, str]
    network: PrivateNetwork = field(default_factory=PrivateNetwork)
    _started: list[subprocess.Popen[str]] = field(default_factory=list)
    _store: ExitStack = field(default_factory=ExitStack)

    @property
    def ring(self) -> KeyRing:
        """Its keys."""
        return KeyRing(self.home / "data" / "ecr-widgets" / "keys")

    @property
    def is_own(self) -> bool:
        """Whether it has a network and a name of its own."""
        return self.network.own

    def start(self, *words: str | Path, **more: str) -> subprocess.Popen[str]:
        """Start `ecr-widgets` there.

        Args:
            more: Variables of its environment.
        """
        return self.popen([BIN / "ecr-widgets", *words], **more)

    def popen(self, words: list[str | Path], **more: str) -> subprocess.Popen[str]:
        """Start any program there."""
        with self.network.entered():
            process = forked.start(
                words,
                hostname=self.name if self.is_own else "",
                cwd=self.checkout,
                env=environ_of(self.home, {**self.environ, **more}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        self._started.append(process)
        return process

    def told(self, *words: str | Path, code: int = 0, **more: str) -> Any:
        """What `ecr-widgets … --json` prints there."""
        process = self.start(*words, "--json", **more)
        out, err = process.communicate()
        assert process.returncode == code, out + err
        return json.loads(out)

    def run(self, *words: str, code: int = 0) -> Any:
        """What `ecr-widgets run … --json` prints there."""
        return self.told("run", *words, code=code)

    def trust(self, other: Host) -> None:
        """Take in the other host's key."""
        key, _ = other.ring.signing_key(now=datetime.now(UTC))
        self.ring.trust(export_keys([key]).encode(), [key.fingerprint])

    def cut_off(self) -> None:
        """The store is out of reach for this host alone, which needs a network of its own."""
        self._store.close()

    def reconnect(self) -> None:
        """The store is within reach (again)."""
        port = urlsplit(self.environ["AWS_ENDPOINT_URL_S3"]).port
        assert port is not None
        self._store.enter_context(self.network.published(port))

    def die(self) -> None:
        """Kill all that it runs, as when its power fails."""
        # The number of one that has ended may be another's by now.
        running = [process for process in self._started if process.poll() is None]
        doomed = [each for process in running for each in _tree_of(process.pid)]
        if self.is_own:
            own = self.network.inode()
            doomed += [each for each in psutil.process_iter() if _network_of(each.pid) == own]
        for each in doomed:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        for process in self._started:
            process.communicate()

    def close(self) -> None:
        """The end of its processes and its network."""
        self.die()
        self.cut_off()
        self.network.close()


@contextmanager
def hosts(
    s3: Buckets,
    folder: Path,
    *names: str,
    places: Mapping[str, BucketPath] | None = None,
    url: str = "",
    sandbox: Sandbox | None = None,
) -> Iterator[tuple[Host, ...]]:
    """Hosts that save runs in one place of a bucket, and work in one checkout.

    Args:
        places: Where hosts save, by name, that do not save where all others do.

        url: Of a proxy before the store.

        sandbox: What all of them work on.
    """
    forked.begin()
    at_work_on = sandbox.environ({}) if sandbox else {}
    checkout, place = folder / "checkout", s3.new_place()
    checkout.mkdir(exist_ok=True)
    with ExitStack() as stack:
        made = []
        for name in names:
            home = folder / name
            home.mkdir()
            saves_in = (places or {}).get(name, place)
            environ = {
                **s3.environ,
                **at_work_on,
                "ECR_WIDGETS_RUNS": str(saves_in),
                "ECR_WIDGETS_LEASE_S": str(LEASE_S),
                **({"AWS_ENDPOINT_URL_S3": url} if url else {}),
            }
            host = Host(name, home, checkout, saves_in, environ)
            stack.callback(host.close)
            host.reconnect()
            for port in _ports_of(sandbox) if sandbox else ():
                stack.enter_context(host.network.published(port))
            made.append(host)
        yield tuple(made)


def environ_of(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of processes with a home of their own, without what this one says of AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    homes = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("DATA", "STATE", "CACHE")}
    return {**kept, **homes, "HOME": str(home), "AWS_CONFIG_FILE": os.devnull, **more}


def _ports_of(sandbox: Sandbox) -> list[int]:
    status = sandbox.status()
    addresses = [
        urlsplit(each or "") for each in (status.api_url, status.layer0_url, f"//{status.registry_host}")
    ]
    return [each.port for each in addresses if each.port is not None]


def _tree_of(pid: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _network_of(pid: int) -> int | None:
    with suppress(OSError):
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    return None


def can_be_named() -> bool:
    """Whether this user may give processes a host's name of their own."""
    return os.geteuid() == 0 and shutil.which("unshare") is not None
