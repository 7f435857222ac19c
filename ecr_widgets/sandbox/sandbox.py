"""Class Sandbox: starts it, waits until it is ready, gives its addresses, and stops it with nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Self

from ecr_widgets.errors import EngineError, EngineUnavailable, SettingsError
from ecr_widgets.model.times import from_rfc3339, to_rfc3339
from ecr_widgets.sandbox.folder import SandboxFolder, default_folder
from ecr_widgets.sandbox.polling import wait_until
from ecr_widgets.sandbox.processes import ProcessIdentity
from ecr_widgets.sandbox.state import Phase, SandboxState, read_state

REGION = "us-east-1"

_SYSTEMS = {"darwin": "macOS", "win32": "Windows"}
_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 30.0

_ELSEWHERE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "DOCKER_CONTEXT",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "LAYER0_SKIP_SSL_VERIFY",
)
"""Variables that would point a tool elsewhere, or override the ones that are set."""


class EngineKind(Enum):
    """Whose engine a sandbox uses."""

    PRIVATE = "private"
    EXISTING = "existing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxStatus:
    """A sandbox's state and addresses; the addresses are None unless it is up."""

    phase: Phase
    folder: Path
    engine: EngineKind | None = None
    docker_host: str | None = None
    api_url: str | None = None
    registry_host: str | None = None
    layer0_url: str | None = None
    since: datetime | None = None
    pid: int | None = None

    @property
    def up(self) -> bool:
        """Whether everything answers."""
        return self.phase is Phase.UP

    def describe(self) -> str:
        """The status as text for people, one fact per line."""
        lines = [f"sandbox     {self.phase.value}"]
        if self.since is not None:
            lines[0] += f" since {to_rfc3339(self.since)}, process {self.pid}"
        if self.engine is not None:
            lines.append(f"engine      {self.docker_host} ({self.engine.value})")
        if self.api_url is not None:
            lines += [
                f"AWS API     {self.api_url}",
                f"registry    {self.registry_host}",
                f"Layer0      {self.layer0_url}",
            ]
        return "\n".join([*lines, f"folder      {self.folder}"])


class Sandbox:
    """The embedded stand-ins, in their own process, which outlives this one until it is stopped.

    Args:
        folder: Where it keeps its state; None for `ecr-widgets/sandbox` below the XDG state folder.

        docker_host: Engine to use; None for the one that the docker command would use, else a private one.

        token_lifetime_s: Lifetime of ECR's authorization tokens, in seconds.

        layer0_version: The version that Layer0 reports; the `l0` command refuses any but its own. None for the version
            it reported before in this folder, or v0.12.6.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        docker_host: str | None = None,
        token_lifetime_s: float = 43200.0,
        layer0_version: str | None = None,
    ) -> None:
        self._folder = SandboxFolder(folder or default_folder())
        self._docker_host = docker_host
        self._token_lifetime_s = token_lifetime_s
        self._layer0_version = layer0_version
        self._started_here = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        # If it was already up, stopping it is not our job.
        if self._started_here:
            self.stop()

    def start(self, progress: Callable[[str], None] = lambda _text: None) -> None:
        """Start it and wait until everything answers; does nothing if it is up already.

        Args:
            progress: Called with one short line for each thing being done.

        Raises:
            EngineUnavailable: No Docker Engine answers, and none can be started.
            EngineError: It ended while starting, or its engine did.
            SettingsError: The folder cannot be used, or this is not Linux.
        """
        if sys.platform != "linux":
            raise SettingsError(
                f"the sandbox needs Linux, and this is {_SYSTEMS.get(sys.platform, sys.platform)}",
                hint="start a container of Python 3.11 or newer on your engine, with --network host and -v"
                " /var/run/docker.sock:/var/run/docker.sock, and in there pip install 'ecr-widgets[sandbox]' and"
                " ecr-widgets sandbox up",
            )
        # Another start may be in progress; that is just as good.
        if not wait_until(lambda: self._is_started(progress), timeout_s=_START_TIMEOUT_S):
            raise EngineError(
                f"the sandbox in {self._folder.path} did not become ready",
                hint="stop it and start it again",
            )

    def stop(self, progress: Callable[[str], None] = lambda _text: None) -> None:
        """Stop it and remove all that it made, including what a killed one left behind.

        Args:
            progress: Called with what stays on an engine that the sandbox did not start.

        Raises:
            EngineError: Something cannot be removed.
        """
        state = read_state(self._folder.state_file)
        if state is not None:
            names = _names_on_engine(state)
            state.supervisor.send(signal.SIGTERM)
            if not state.supervisor.wait(_STOP_TIMEOUT_S):
                state.supervisor.send(signal.SIGKILL)
                state.supervisor.wait(_STOP_TIMEOUT_S)
        self._remove_remnants()
        self._started_here = False
        if state is not None and (stay := _names_left(state, names)):
            progress(
                f"these images stay on the engine at {state.docker_host}: {', '.join(stay)}; "
                f"to remove them: docker image rm {' '.join(stay)}"
            )

    def status(self) -> SandboxStatus:
        """Its state and addresses."""
        state = self._state()
        if state is None:
            return SandboxStatus(phase=Phase.DOWN, folder=self._folder.path)
        addresses = state.addresses
        return SandboxStatus(
            phase=state.phase,
            folder=self._folder.path,
            engine=EngineKind.EXISTING if state.private_engine is None else EngineKind.PRIVATE,
            docker_host=state.docker_host,
            api_url=addresses.api_url if addresses is not None else None,
            registry_host=addresses.registry_host if addresses is not None else None,
            layer0_url=addresses.layer0_url if addresses is not None else None,
            since=from_rfc3339(state.started_at),
            pid=state.supervisor.pid,
        )

    def env(self) -> dict[str, str]:
        """The standard variables that point tools at it.

        Raises:
            SettingsError: It is not up.
        """
        state = self._state()
        if state is None or state.addresses is None or state.docker_host is None:
            raise SettingsError(
                f"the sandbox in {self._folder.path} is not up", hint="start it: ecr-widgets sandbox up"
            )
        return {
            "AWS_ACCESS_KEY_ID": state.keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": state.keys.secret_access_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": state.addresses.api_url,
            "DOCKER_HOST": state.docker_host,
            "LAYER0_API_ENDPOINT": state.addresses.layer0_url,
            "LAYER0_AUTH_TOKEN": state.keys.layer0_token,
        }

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Merge `env()` into an environment, without the variables that would point tools elsewhere.

        Raises:
            SettingsError: It is not up.
        """
        merged = {name: value for name, value in base.items() if name not in _ELSEWHERE} | self.env()
        if any(name.lower() in ("http_proxy", "all_proxy") and value for name, value in base.items()):
            # A proxy cannot reach this machine's loopback.
            for name in ("NO_PROXY", "no_proxy"):
                merged[name] = ",".join(filter(None, [base.get(name), "127.0.0.1"]))
        return merged

    def _state(self) -> SandboxState | None:
        """The state; None if no supervisor is running."""
        state = read_state(self._folder.state_file)
        return state if state is not None and state.supervisor.alive() else None

    def _is_started(self, progress: Callable[[str], None]) -> bool:
        """Start it if it is down; returns whether it is up."""
        state = self._state()
        if state is None:
            self._started_here = self._launch(progress)
            return self._started_here
        if state.phase is Phase.ENGINE_DIED:
            raise EngineError(
                "the sandbox is up, and its Docker Engine has ended",
                hint="stop the sandbox and start it again",
            )
        if state.phase is not Phase.UP:
            return False
        if self._layer0_version not in (None, state.layer0_version):
            raise SettingsError(
                f"the sandbox is up already, and its Layer0 says that it is {state.layer0_version}",
                hint=f"stop it first, to start it as {self._layer0_version}",
            )
        progress(f"the sandbox is up already, since {state.started_at}")
        return True

    def _launch(self, progress: Callable[[str], None]) -> bool:
        """Start a supervisor and wait for its report; False if another one has the folder."""
        command = [sys.executable, "-P", "-m", "ecr_widgets.sandbox.supervisor", str(self._folder.path)]
        command += ["--token-lifetime-s", str(self._token_lifetime_s)]
        command += ["--layer0-version", self._layer0_version] if self._layer0_version is not None else []
        command += ["--docker-host", self._docker_host] if self._docker_host is not None else []
        # Keep real credentials out of it.
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAYER0_"))
        }
        supervisor: ProcessIdentity | None = None
        failure: dict[str, str] | None = None
        stray: list[str] = []
        with subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                for event in _events(process, stray):
                    if "pid" in event:
                        supervisor = ProcessIdentity.of(event["pid"])
                    elif "progress" in event:
                        progress(event["progress"])
                    elif "failed" in event:
                        failure = event["failed"]  # reported before it cleans up: read to the end
                    else:
                        return "ready" in event
            except BaseException:
                # If the wait is interrupted, do not leave half a sandbox behind.
                if supervisor is not None:
                    supervisor.send(signal.SIGTERM)
                    supervisor.wait(_STOP_TIMEOUT_S)
                raise
        if failure is not None:
            raise _failure(**failure)
        raise EngineError(f"the sandbox ended while it started: {' | '.join(stray[-8:]) or 'it was stopped'}")

    def _remove_remnants(self) -> None:
        if not self._folder.state_file.exists():
            return
        lock = self._folder.lock()
        if lock is None:
            return
        from ecr_widgets.sandbox.removal import remove_sandbox

        try:
            state = read_state(self._folder.state_file)
            if state is not None:
                remove_sandbox(self._folder, state)
            self._folder.remove(state.made_folders if state is not None else ())
        finally:
            os.close(lock)


def _names_on_engine(state: SandboxState) -> list[str]:
    # Imported only when an engine is asked, as it needs docker-py: nothing stays on a private engine.
    if state.private_engine is not None:
        return []
    from ecr_widgets.sandbox.removal import find_names

    return find_names(state)


def _names_left(state: SandboxState, names: list[str]) -> list[str]:
    if not names:
        return []
    from ecr_widgets.sandbox.removal import still_held

    return still_held(state, names)


def _events(process: subprocess.Popen[str], stray: list[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            yield json.loads(line)
        else:
            stray.append(line.strip())


def _failure(*, message: str, hint: str | None = None, kind: str = "", details: str = "") -> Exception:
    classes = {error.__name__: error for error in (EngineUnavailable, SettingsError)}
    error = classes.get(kind, EngineError)(message, hint=hint)
    if details:
        error.add_note(details)
    return error
