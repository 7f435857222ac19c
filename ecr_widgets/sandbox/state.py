"""The state file: what a sandbox is, its addresses, and everything it has on the machine.

Each trace is written down before it is created, so that after a supervisor was killed it is known what to remove.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import msgspec

from ecr_widgets.errors import SettingsError
from ecr_widgets.sandbox.folder import read_own
from ecr_widgets.sandbox.processes import ProcessIdentity

STATE_VERSION = 1
DEFAULT_LAYER0_VERSION = "v0.12.6"


class Phase(Enum):
    """What a sandbox is doing."""

    DOWN = "down"
    STARTING = "starting"
    UP = "up"
    ENGINE_DIED = "engine died"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTraces:
    """All that a private engine has on the machine outside the sandbox's folder, and its processes."""

    run_folder: str
    """Folder, with a short path, for the socket and the engine's run-time files."""

    cgroup: str
    """Name of the parent control group of all its containers."""

    bridge: str | None = None
    """Network interface; None if none could be created."""

    launcher: ProcessIdentity | None = None
    """The process that created the engine's namespaces."""

    init: ProcessIdentity | None = None
    """First process in the engine's pid namespace: the engine and all its containers die with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the stand-ins answer."""

    api_url: str
    registry_host: str
    layer0_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Credentials that only this sandbox accepts."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    layer0_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxState:
    """Content of the state file."""

    sandbox_id: str
    phase: Phase
    supervisor: ProcessIdentity
    started_at: str
    keys: Keys
    made_folders: tuple[str, ...] = ()
    """Folders that were created for the sandbox, outermost first."""

    docker_host: str | None = None
    private_engine: EngineTraces | None = None
    """None if the machine's own engine is used."""

    loaded_image: str | None = None
    """Id of the base image if it was loaded into an engine that is not ours."""

    addresses: Addresses | None = None

    layer0_version: str = DEFAULT_LAYER0_VERSION
    """The version that its Layer0 reports."""

    was_up: bool = False
    """Whether it has ever been up: if so, a start after a kill resumes it."""

    version: int = STATE_VERSION


def write_state(path: Path, state: SandboxState) -> None:
    """Replace the state file atomically; only its owner can read it."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
    finally:
        os.close(handle)
    fresh.replace(path)


def read_state(path: Path) -> SandboxState | None:
    """Read the state file; None if there is none.

    Raises:
        SettingsError: Not a state file of this version, or not this user's. That matters: it says which processes to end,
            which folders to remove, and where to send passwords.
    """
    try:
        content = read_own(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(
            f"the sandbox's state file {path} cannot be read: {error.strerror}",
            hint="use the account that started the sandbox",
        ) from error
    try:
        state = msgspec.json.decode(content, type=SandboxState)
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"the sandbox's state file {path} cannot be read: {error}",
            hint="name another folder with --folder",
        ) from error
    if state.version != STATE_VERSION:
        raise SettingsError(
            f"the sandbox's state file {path} has version {state.version}, and this is version {STATE_VERSION}",
            hint="stop that sandbox with the program that started it",
        )
    return state
