"""A sandbox's one process: ECR, ECS and Layer0 in its event loop, a private engine as its child.

    python -m ecr_widgets.sandbox.supervisor FOLDER

It reports to its starter on stdout, one JSON object per line: `pid`, `progress`, then `ready`, `busy` (another one supervises
this folder) or `failed`. SIGTERM closes everything in order and removes all that was made; after a kill, or a restart
of the machine, the folder's next supervisor resumes what was there.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import secrets
import signal
import sys
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_widgets.errors import EcrWidgetsError, EngineError, EngineUnavailable
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.sandbox.busybox import provide_busybox
from ecr_widgets.sandbox.engine_traces import new_sandbox_id, plan
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.sandbox.local_engine import PATIENCE_S, LocalEngine, find_engine
from ecr_widgets.sandbox.private_engine import PrivateEngine
from ecr_widgets.sandbox.processes import ProcessIdentity
from ecr_widgets.sandbox.removal import end_engine, remove_sandbox
from ecr_widgets.sandbox.state import Keys, Phase, SandboxState, read_state, write_state

if TYPE_CHECKING:
    from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequest:
    """Whether a stop signal arrived before the event loop took over.

    It is checked between steps: a step interrupted by an exception could leave behind what it just made.
    """

    def __init__(self) -> None:
        self.came = False
        for number in STOP_SIGNALS:
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True


class Starter:
    """The process that waits for the sandbox to be ready, at the other end of our stdout."""

    def report(self, **event: Any) -> None:
        """Send one event; a starter that is gone is no reason to stop."""
        with contextlib.suppress(BrokenPipeError):
            os.write(1, json.dumps(event).encode() + b"\n")

    def progress(self, text: str) -> None:
        """Report what is being done."""
        self.report(progress=text)
        log(text)

    def fail(self, message: str, **more: str | None) -> None:
        """Report why the sandbox could not be started."""
        self.report(failed={"message": message, **more})

    def release(self) -> None:
        """Report that the sandbox is ready, and close the connection."""
        self.report(ready=True)
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 1)


class Supervisor:
    """Starts the parts, serves until it is stopped, and removes everything.

    Args:
        folder: Its folder, locked by this process.

        state: Written at every change, before what it names is created.

        servers: Arguments for `Servers`, except the folder.
    """

    def __init__(
        self, folder: SandboxFolder, state: SandboxState, starter: Starter, servers: dict[str, Any]
    ) -> None:
        self.state = state
        self._folder = folder
        self._starter = starter
        self._servers = servers
        self._private: PrivateEngine | None = None

    def start_engine(self, docker_host: str | None) -> None:
        """Find the machine's engine, or start a private one without waiting for it.

        Raises:
            EngineUnavailable: No engine answers, and none can be started.
        """
        self._note()
        existing = None
        if self.state.private_engine is None:
            # A resumed sandbox needs the engine that has its containers.
            docker_host = self.state.docker_host or docker_host
            existing = find_engine(docker_host, environ=os.environ, progress=self._starter.progress)
        if existing is not None:
            self._starter.progress(f"using the Docker Engine at {existing.docker_host}")
            self._note(docker_host=existing.docker_host)
            return
        PrivateEngine.require()
        self._starter.progress("starting a private Docker Engine")
        self._private = PrivateEngine(self._folder, plan(self.state.sandbox_id))
        self._note(docker_host=self._private.docker_host, private_engine=self._private.traces)
        self._private.start(self._starter.progress)
        self._note(private_engine=self._private.traces)

    async def serve(self, request: StopRequest) -> None:
        """Start the servers, report it, and serve until a stop signal arrives."""
        import asyncio

        from ecr_widgets.sandbox.servers import Servers

        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, stop.set)
        if request.came:
            return
        servers = Servers(self._folder, **self._servers)

        async def start() -> None:
            # The engine starts in its own process, and its base image loads in a thread, while moto is imported here.
            engine = asyncio.create_task(asyncio.to_thread(self._finish_engine))
            await asyncio.sleep(0)  # lets it begin
            self._starter.progress("starting ECR")
            before = self.state.addresses
            servers.start_ecr(self.state.keys, before)
            self._note(loaded_image=await engine or self.state.loaded_image)
            if self._private is not None:
                self._note(private_engine=self._private.traces)
            else:
                await servers.reach(str(self.state.docker_host))
            self._starter.progress("starting ECS and Layer0")
            servers.start_ecs(self.state)
            addresses = servers.start_layer0(self.state)
            self._note(addresses=addresses)
            if before is not None and before.registry_host != addresses.registry_host:
                self._starter.progress(
                    f"port {before.registry_host} was taken: the registry is at {addresses.registry_host}, and deploys"
                    " that name images at the old place need them pushed again"
                )

        starting = asyncio.create_task(start())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                starting.result()
                self._note(phase=Phase.UP, was_up=True)
                if self._private is not None:
                    loop.add_reader(os.pidfd_open(self._private.pid), self._engine_ended, loop)
                gc.freeze()
                gc.enable()
                self._starter.release()
                log("up")
                await stopping
            log("stopping")
        finally:
            starting.cancel()
            stopping.cancel()
            await servers.close()
            self.kill_engine()  # also ends the thread that may still be waiting for its first answer
            await asyncio.gather(starting, stopping, return_exceptions=True)

    def kill_engine(self) -> None:
        """Kill the private engine, if any, and all that it runs."""
        if self._private is not None:
            self._private.kill()

    def _finish_engine(self) -> str | None:
        """Wait for the engine and give it the base image; returns the image's id if this added it."""
        if self._private is not None:
            self._private.wait_ready()
        try:
            return provide_busybox(LocalEngine(str(self.state.docker_host), timeout_s=PATIENCE_S))
        except EngineUnavailable:
            raise
        except EngineError as error:
            # Images that are not built on it do not need it.
            self._starter.progress(str(error))
            return None

    def _engine_ended(self, loop: Any) -> None:
        assert self._private is not None
        self._private.kill()
        log(f"the private Docker Engine ended: {self._private.log_tail()}")
        self._note(phase=Phase.ENGINE_DIED)

    def _note(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        write_state(self._folder.state_file, self.state)


def run(options: argparse.Namespace, starter: Starter) -> None:
    """Supervise a folder, from taking its lock to removal.

    Raises:
        EcrWidgetsError: The sandbox cannot be started; nothing is left of it.
    """
    request = StopRequest()
    folder = SandboxFolder(options.folder)
    made_folders = folder.make()
    try:
        locked = folder.lock() is not None
    except FileNotFoundError:  # a stopping supervisor has just removed the folder
        locked = False
    if not locked:
        starter.report(busy=True)
        return
    supervisor: Supervisor | None = None
    failed = False
    try:
        remnant = read_state(folder.state_file)
        if remnant is not None:
            made_folders = (*remnant.made_folders, *made_folders)
        state = _state_of_start(folder, remnant, made_folders, options.docker_host, starter)
        if options.layer0_version is not None:
            state = replace(state, layer0_version=options.layer0_version)
        _redirect_stderr(folder.supervisor_log)
        supervisor = Supervisor(
            folder,
            state,
            starter,
            {"token_lifetime_s": options.token_lifetime_s, "layer0_version": state.layer0_version},
        )
        supervisor.start_engine(options.docker_host)
        # Some of moto's services run containers, on the engine that this names.
        os.environ.pop("DOCKER_HOST", None)
        import asyncio  # the engine starts in the meantime

        asyncio.run(supervisor.serve(request))
    except Exception:
        failed = True
        raise
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if supervisor is not None:
            supervisor.kill_engine()
            if failed and supervisor.state.was_up and supervisor.state.phase is Phase.STARTING:
                starter.progress(
                    "what the sandbox held is kept: start it again, or remove it with `sandbox down`"
                )
                end_engine(folder, supervisor.state)
            else:
                remove_sandbox(folder, supervisor.state)
        folder.remove(made_folders)


def log(text: str) -> None:
    """Write a line to the supervisor's log."""
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")
    sys.stderr.flush()


def main() -> None:
    """Detach from the starter's process tree and supervise."""
    parser = argparse.ArgumentParser(prog="python -m ecr_widgets.sandbox.supervisor")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--docker-host")
    parser.add_argument("--layer0-version")
    parser.add_argument("--token-lifetime-s", type=float, default=43200.0)
    options = parser.parse_args()
    # What is imported for the start stays until the end: to look for garbage in it takes a tenth of the start.
    gc.disable()
    # Not a child of the starter, which may live on for long and need not wait for it.
    if os.fork():
        os._exit(0)
    os.umask(0o077)
    os.chdir("/")
    starter = Starter()
    starter.report(pid=os.getpid())
    try:
        run(options, starter)
    except EcrWidgetsError as error:
        starter.fail(error.message, hint=error.hint, kind=type(error).__name__)
    except Exception as error:  # noqa: BLE001  # reported to the starter, whose error it becomes
        starter.fail(f"{type(error).__name__}: {error}", details=traceback.format_exc())


def _state_of_start(
    folder: SandboxFolder,
    remnant: SandboxState | None,
    made_folders: tuple[str, ...],
    docker_host: str | None,
    starter: Starter,
) -> SandboxState:
    """The state to start from: that of a sandbox killed while it was up, else a new one."""
    fresh = _new_state(made_folders)
    if remnant is None:
        return fresh
    if not remnant.was_up or docker_host not in (None, remnant.docker_host):
        starter.progress("removing what is left of a sandbox that was killed")
        remove_sandbox(folder, remnant)
        return fresh
    starter.progress("resuming a sandbox that was killed")
    end_engine(folder, remnant)
    return replace(
        remnant,
        phase=Phase.STARTING,
        supervisor=fresh.supervisor,
        started_at=fresh.started_at,
        made_folders=made_folders,
    )


def _new_state(made_folders: tuple[str, ...]) -> SandboxState:
    supervisor = ProcessIdentity.of(os.getpid())
    assert supervisor is not None
    return SandboxState(
        sandbox_id=new_sandbox_id(),
        phase=Phase.STARTING,
        supervisor=supervisor,
        started_at=to_rfc3339(datetime.now(UTC)),
        made_folders=made_folders,
        keys=Keys(
            access_key_id="SANDBOX" + secrets.token_hex(6).upper(),
            secret_access_key=secrets.token_urlsafe(30),
            layer0_token=secrets.token_urlsafe(30),
        ),
    )


def _redirect_stderr(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    os.dup2(handle, 2)
    os.close(handle)


if __name__ == "__main__":
    main()
