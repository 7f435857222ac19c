"""The state file: what a sandbox is, where it answers, and every trace that it has on the machine.

It is written before a trace is made, so that whoever comes after a killed supervisor knows what to remove.
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
    """All that a private engine has on the machine outside the sandbox's folder, with the processes it runs in."""

    run_folder: str
    """Short folder of the socket and of the engine's run-time files."""

    cgroup: str
    """Name of the control group above all of its containers."""

    bridge: str | None = None
    """Network interface, None where none could be made."""

    launcher: ProcessIdentity | None = None
    """The process that made the engine's namespaces."""

    init: ProcessIdentity | None = None
    """First process of the engine's pid namespace: with it die the engine and all of its containers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the stand-ins answer."""

    api_url: str
    registry_host: str
    layer0_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Values that only this sandbox takes; they open nothing else."""

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
    """Folders that were made for the sandbox, outermost first."""

    docker_host: str | None = None
    private_engine: EngineTraces | None = None
    """None where the machine's own engine is used."""

    loaded_image: str | None = None
    """Id of the base image if it was loaded into an engine that is not ours."""

    addresses: Addresses | None = None

    layer0_version: str = DEFAULT_LAYER0_VERSION
    """What its Layer0 says that it is."""

    was_up: bool = False
    """Whether it has ever answered: then a start after a kill resumes what it holds."""

    version: int = STATE_VERSION


def write_state(path: Path, state: SandboxState) -> None:
    """Replace the state file in one stroke; only its owner can read it."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n")
    finally:
        os.close(handle)
    fresh.replace(path)


def read_state(path: Path) -> SandboxState | None:
    """Read the state file, None where there is none.

    Raises:
        SettingsError: What is there is no state file of this version, or not this user's: it names processes to end and
            folders to remove, and where to send passwords.
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
