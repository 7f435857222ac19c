"""The program that speaks BuildKit's protocol for us: the buildx plug-in, else a docker command with it built in.

Source: Docker's documentation, "Docker CLI plugins"; the folders and their order are those of the docker command.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ecr_widgets.adapters.programs import run_in_time
from ecr_widgets.errors import SettingsError
from ecr_widgets.settings.engine_address import docker_folder, read_docker_config

_PLUGIN = "docker-buildx"
_FOLDERS = tuple(
    Path(base, "docker/cli-plugins")
    for base in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
)
_VERSION = re.compile(r"(\d+)\.(\d+)")
_TIMEOUT_S = 20.0
_EVENTS_SINCE = (0, 13)
_ATTESTATIONS_SINCE = (0, 10)
_TODAYS_MATCHER_SINCE = (0, 8)
_BUILT_IN = range(20, 23)
"""Docker commands of these versions have BuildKit's client built in; later ones start the plug-in."""

INSTALL = "install the buildx plug-in: package docker-buildx of Debian 13 and Ubuntu, docker-buildx-plugin of Docker's own"


@dataclass(frozen=True, slots=True)
class BuildTool:
    """A program that builds with the engine's BuildKit."""

    path: str
    version: tuple[int, int]
    is_plugin: bool

    def __str__(self) -> str:
        return f"{'buildx' if self.is_plugin else 'the docker command'} {'.'.join(map(str, self.version))}"

    @property
    def tells_events(self) -> bool:
        """Whether its progress comes as JSON."""
        return self.is_plugin and self.version >= _EVENTS_SINCE

    @property
    def reads_ignore_files_as_today(self) -> bool:
        """Whether it matches ignore files as current versions do."""
        return self.is_plugin and self.version >= _TODAYS_MATCHER_SINCE

    @property
    def knows_attestations(self) -> bool:
        """Whether it attaches provenance unless an option forbids it."""
        return self.is_plugin and self.version >= _ATTESTATIONS_SINCE


def read_config(environ: Mapping[str, str]) -> dict[str, object]:
    """The user's config.json; empty if it cannot be read."""
    with suppress(SettingsError):
        return read_docker_config(environ)
    return {}


def find_build_tool(environ: Mapping[str, str]) -> BuildTool | None:
    """The first plug-in that starts, in docker's own search order; else a docker command that needs none."""
    for path in _candidates(environ):
        version = _version_of(str(path), "version")
        if version is not None:
            return BuildTool(str(path), version, is_plugin=True)
    command = shutil.which("docker", path=environ.get("PATH"))
    version = _version_of(command, "--version") if command else None
    if command and version and version[0] in _BUILT_IN:
        return BuildTool(command, version, is_plugin=False)
    return None


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    extra = read_config(environ).get("cliPluginsExtraDirs")
    folders = [docker_folder(environ) / "cli-plugins"]
    folders += [Path(each) for each in extra if isinstance(each, str)] if isinstance(extra, list) else []
    for each in (*folders, *_FOLDERS):
        path = each / _PLUGIN
        if os.access(path, os.X_OK) and path.is_file():
            yield path


@cache
def _version_of(path: str, word: str) -> tuple[int, int] | None:
    try:
        done = run_in_time([path, word], longest_s=_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return None  # broken or for another machine: docker skips it as well
    match = None if done.returncode else _VERSION.search(done.stdout.decode(errors="replace"))
    return (int(match[1]), int(match[2])) if match else None
