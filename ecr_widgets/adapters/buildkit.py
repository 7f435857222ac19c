"""Builds with the engine's BuildKit: a child process speaks its protocol and is watched until it ends.

The user's own configuration is not changed: the child gets a Docker configuration folder of its own, removed after the
build, and the engine's address, so that no builder or context that the user has selected interferes.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import selectors
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ecr_widgets.adapters.build_events import BuildEvents
from ecr_widgets.adapters.build_tool import INSTALL, BuildTool, read_config
from ecr_widgets.adapters.engine_events import (
    BUILD_LATER,
    build_login_error,
    has_engine_ended,
    hint_for,
    login_refused,
    may_build_later,
)
from ecr_widgets.disk import write_atomically
from ecr_widgets.errors import BuildError, BuildRefused, EcrWidgetsError, EngineLost, SettingsError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.build_context import BuildContext
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.user_folders import state_folder
from ecr_widgets.ports import ProgressSink
from ecr_widgets.private_folder import PrivateFolder

_BETWEEN_LOOKS_S = 0.5
_LONGEST_END_S = 3.0
"""How long a cancelled build may take to cancel itself in the engine, in seconds."""
_DROPPED = ("BUILDX_BUILDER", "BUILDKIT_PROGRESS")
"""Variables that would override choices made here."""

_IDENTITY = ".buildNodeID"
_AUTH_VARIABLE = "DOCKER_AUTH_CONFIG"
_NOT_KNOWN = re.compile(
    r"unknown (flag|instruction)|not supported in dockerfile|the --\S+ (flag|option) requires"
)
_TOO_OLD = re.compile(r"client version \S+ is too old")
_NO_FRONTEND = re.compile(r"resolve image config for|docker/dockerfile")


def build_with_buildkit(
    tool: BuildTool,
    context: BuildContext,
    options: BuildOptions,
    *,
    tags: Sequence[str],
    environ: Mapping[str, str],
    logins: Sequence[AuthorizationToken],
    progress: ProgressSink,
) -> str | None:
    """Build, have the engine keep the image, and return its id, or None if the tool does not report it.

    Args:
        environ: Names the engine, and holds the secrets.

        logins: For registries of base images and of the cache.

    Raises:
        BuildError: A step failed, or the Dockerfile is wrong.

        AuthorizationError: A registry refused its login.
    """
    with _own_folder(logins, environ) as folder:
        # The child gets secrets through its environment: their values are on no command line.
        child = {name: value for name, value in environ.items() if name not in _DROPPED}
        if logins:
            child |= _without(logins, environ.get(_AUTH_VARIABLE))
        child |= {"DOCKER_CONFIG": str(folder), "BUILDX_CONFIG": str(folder / "buildx")}
        if not tool.is_plugin:
            child["DOCKER_BUILDKIT"] = "1"
        events = BuildEvents(progress)
        command = [tool.path, "build", *_arguments(tool, context, options, tags, folder)]
        exit_code = _watched(command, child, events, told_as_json=tool.tells_events)
        if exit_code:
            raise _failed(events, exit_code, logins)
        return _image_id(folder)


def _arguments(
    tool: BuildTool, context: BuildContext, options: BuildOptions, tags: Sequence[str], folder: Path
) -> Iterator[str]:
    if tool.is_plugin:
        yield from ("--builder", "default", "--load", "--metadata-file", str(folder / "metadata.json"))
    if tool.knows_attestations:
        # Without provenance a single image is not an index, and the same input gives the same digest.
        yield from (f"--provenance={'mode=min' if options.provenance else 'false'}", "--sbom=false")
    if options.pull:
        yield "--pull"
    # ECR refuses the older cache format, an index of layers.
    form = "mode=max,image-manifest=true,oci-mediatypes=true"
    of_registry = "type=registry,ref=" if tool.is_plugin else ""
    given = {
        "--progress": ["rawjson" if tool.tells_events else "plain"],
        "--file": [str(context.dockerfile)],
        "--tag": tags,
        "--build-arg": [f"{name}={value}" for name, value in options.build_args.items()],
        "--label": [f"{name}={value}" for name, value in options.labels.items()],
        "--secret": [f"id={name},env={variable}" for name, variable in options.secrets.items()],
        "--target": [options.target] if options.target else [],
        "--platform": [",".join(options.platforms)] if options.platforms else [],
        "--cache-from": [f"{of_registry}{image}" for image in options.cache_from],
        "--cache-to": [f"{of_registry}{image},{form}" for image in options.cache_to],
    }
    for name, values in given.items():
        for value in values:
            yield from (name, value)
    yield from ("--", str(context.folder))


@contextmanager
def _own_folder(logins: Sequence[AuthorizationToken], environ: Mapping[str, str]) -> Iterator[Path]:
    """A folder for one build that only this user can read; it holds logins, so it is removed after the build."""
    try:
        folder = PrivateFolder(environ)
    except OSError as error:
        raise BuildRefused(
            f"no private folder for the build can be made: {error}",
            hint="free some space, or name another folder for temporary files by TMPDIR",
        ) from error
    try:
        file = folder.path / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(_config(logins, environ)))
        _keep_identity(folder.path, environ)
        yield folder.path
    finally:
        folder.remove()


def _keep_identity(folder: Path, environ: Mapping[str, str]) -> None:
    """Give the tool the same identity as in this user's earlier builds, so that it sends only files that have changed.

    The engine caches a context by its path and this identity; the tool makes up a new identity if it finds none.
    """
    (folder / "buildx").mkdir()
    # If it cannot be kept, each build sends its whole context.
    with suppress(OSError, SettingsError):
        kept = state_folder(environ) / "builds" / _IDENTITY
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                write_atomically(kept, secrets.token_hex(32).encode(), is_new=True, mode=0o600)
        for each in (folder, folder / "buildx"):
            (each / _IDENTITY).write_bytes(kept.read_bytes())


def _config(logins: Sequence[AuthorizationToken], environ: Mapping[str, str]) -> dict[str, Any]:
    """The user's own settings, with the logins in place of the user's own for those registries."""
    config: dict[str, Any] = dict(read_config(environ))
    config.pop("currentContext", None)
    if not logins:
        return config
    auths, helpers = (config.get(name) for name in ("auths", "credHelpers"))
    auths = auths if isinstance(auths, dict) else {}
    helpers = helpers if isinstance(helpers, dict) else {}
    # A store for all registries would hide the logins, so it is used only for the registries that it is known to hold.
    store = config.pop("credsStore", None)
    if isinstance(store, str):
        helpers = dict.fromkeys(auths, store) | helpers
    given = {
        each.registry: {"auth": base64.b64encode(f"{each.user}:{each.password}".encode()).decode()}
        for each in logins
    }
    config["auths"] = auths | given
    config["credHelpers"] = {registry: name for registry, name in helpers.items() if registry not in given}
    return config


def _without(logins: Sequence[AuthorizationToken], given: str | None) -> dict[str, str]:
    """The user's variable for logins, without those that would take precedence over ours."""
    with suppress(ValueError, AttributeError):
        config = json.loads(given or "")
        for each in logins:
            config.get("auths", {}).pop(each.registry, None)
        return {_AUTH_VARIABLE: json.dumps(config)}
    return {}


def _watched(
    command: Sequence[str], environ: Mapping[str, str], events: BuildEvents, *, told_as_json: bool
) -> int:
    """Run to the end and return the exit code; whatever stops the watching stops the build."""
    try:
        # Its own process group, so that it gets an interrupt from the terminal only once, from below.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(environ),
            process_group=0,
        )
    except OSError as error:
        raise BuildRefused(
            f"{command[0]!r} cannot be started: {error.strerror}", hint="check its permissions"
        ) from error
    assert process.stderr is not None
    try:
        for text in _lines(process.stderr):
            if text is None:
                events.go_on()
            elif told_as_json:
                events.add_json(text)
            else:
                events.add_plain(text)
        return process.wait()
    finally:
        if process.poll() is None:
            _end(process)
        process.stderr.close()


def _lines(stream: IO[bytes]) -> Iterator[str | None]:
    """Lines as they arrive, and None each time that none arrives for half a second."""
    held = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(stream, selectors.EVENT_READ)
        while True:
            if not waiting.select(_BETWEEN_LOOKS_S):
                yield None
                continue
            read = os.read(stream.fileno(), 1 << 16)
            held += read
            *whole, held = held.split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
            if not read:
                if held:
                    yield held.decode(errors="replace")
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Cancel the build, which ends the engine's step as well; kill the process if it does not end in time."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(_LONGEST_END_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _image_id(folder: Path) -> str | None:
    """The engine's id of the image: with either image store, the digest in the metadata."""
    with suppress(OSError, ValueError):
        digest = json.loads((folder / "metadata.json").read_bytes()).get("containerimage.digest")
        return digest if isinstance(digest, str) else None
    return None


def _failed(events: BuildEvents, exit_code: int, logins: Sequence[AuthorizationToken]) -> EcrWidgetsError:
    text = events.error or f"exit code {exit_code}"
    lower = text.lower()
    if any(each.registry in text for each in logins) and login_refused(text):
        return build_login_error(text)
    if has_engine_ended(text):
        return EngineLost(
            f"the build failed: {text}", hint="see that the engine runs and can be reached, then build again"
        )
    may_pass = may_build_later(text)
    wrong = "correct the step that the log names"
    hint = hint_for(text, BUILD_LATER if may_pass else wrong, log=events.log)
    if _TOO_OLD.search(lower):
        hint = f"the engine does not accept such an old build tool: {INSTALL}"
    elif _NOT_KNOWN.search(lower):
        hint = "use a newer engine, or have the Dockerfile begin with `# syntax=docker/dockerfile:1`"
    elif _NO_FRONTEND.search(lower):
        hint = (
            "the frontend that `# syntax=` names is fetched at each build: let the engine reach its registry,"
            " or remove the line if the engine is 23 or newer"
        )
    return BuildError(f"the build failed: {text}", log=events.log, hint=hint, retryable=may_pass)
