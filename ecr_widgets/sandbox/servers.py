"""ECR, ECS and Layer0 in one event loop, wired to each other and to the engine."""

from __future__ import annotations

import asyncio
import traceback

from ecr_widgets.sandbox.ecr import AccessKey, EcrSandbox
from ecr_widgets.sandbox.ecs import EcsSandbox
from ecr_widgets.sandbox.ecs.names import Names
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.sandbox.journal import Journal
from ecr_widgets.sandbox.layer0 import Layer0Sandbox
from ecr_widgets.sandbox.layer0_on_ecs import Layer0OnEcs
from ecr_widgets.sandbox.neighbours import MODULES, Neighbours
from ecr_widgets.sandbox.registry_reach import Heard, ask_for, listen_where_engine_is, new_name, unreachable
from ecr_widgets.sandbox.removal import container_label
from ecr_widgets.sandbox.state import Addresses, Keys, SandboxState
from ecr_widgets.sandbox.workloads.docker_containers import DockerContainers

_ANY_PORT = 0
_CLOSE_TIMEOUT_S = 10.0


def _port_of(address: str) -> int:
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else _ANY_PORT


class Servers:
    """The stand-ins served by this process.

    Args:
        folder: Has a folder for each of them, and their common journal.

        token_lifetime_s: Lifetime of ECR's authorization tokens, in seconds.

        layer0_version: The version that Layer0 reports.
    """

    def __init__(self, folder: SandboxFolder, *, token_lifetime_s: float, layer0_version: str) -> None:
        self._folder = folder
        self._token_lifetime_s = token_lifetime_s
        self._layer0_version = layer0_version
        self._journal = Journal(folder.journal_file)
        self._ecr: EcrSandbox | None = None
        self._ecs: EcsSandbox | None = None
        self._neighbours: Neighbours | None = None
        self._layer0: Layer0Sandbox | None = None

    def start_ecr(self, keys: Keys, before: Addresses | None = None) -> None:
        """Serve AWS's API and the registry on the running loop; imports moto, which takes most of the startup time.

        Args:
            before: The addresses until the sandbox was killed; reused if they are free.
        """
        self._folder.ecr.mkdir(exist_ok=before is not None)
        self._ecr = EcrSandbox(
            self._folder.ecr,
            access_key=AccessKey(keys.access_key_id, keys.secret_access_key),
            token_lifetime_s=self._token_lifetime_s,
            journal=self._journal,
        )
        self._ecr.listen(
            _port_of(before.api_url if before else ""), _port_of(before.registry_host if before else "")
        )

    async def reach(self, docker_host: str) -> None:
        """Make sure that an existing engine reaches the registry, from its own network if it has one.

        Raises:
            EngineUnavailable: It does not reach it.
        """
        assert self._ecr is not None
        heard, words = await self._hear(docker_host)
        if heard is Heard.NOTHING:
            port = _port_of(self._ecr.registry_host)
            listener = await asyncio.to_thread(listen_where_engine_is, docker_host, port)
            if listener is not None:
                self._ecr.listen_also(listener)
                heard, words = await self._hear(docker_host)
        if heard is not Heard.REQUEST:
            raise unreachable(docker_host, heard, words)

    async def _hear(self, docker_host: str) -> tuple[Heard, str]:
        assert self._ecr is not None
        name, host, login = new_name(), self._ecr.registry_host, self._ecr.issue_login()
        return await self._ecr.hear(
            name, lambda: ask_for(name, docker_host=docker_host, registry_host=host, login=login)
        )

    def start_ecs(self, state: SandboxState) -> None:
        """Serve ECS, and the other services its users need, at ECR's address; the engine must be up."""
        assert self._ecr is not None
        names = Names(self._ecr.account, self._ecr.region)
        self._folder.ecs.mkdir(exist_ok=True)
        self._neighbours = Neighbours(self._folder.ecs, account=names.account, region=names.region)
        self._ecs = EcsSandbox(
            self._containers(state),
            folder=self._folder.ecs,
            names=names,
            neighbours=self._neighbours,
            journal=self._journal,
        )
        self._ecs.begin()
        of_moto = {name: self._neighbours.application(name) for name in MODULES}
        self._ecr.serve_also(of_moto | self._ecs.applications)

    def start_layer0(self, state: SandboxState) -> Addresses:
        """Serve Layer0 on the running loop; ECR and the engine must be up.

        Returns:
            The addresses of everything.
        """
        assert self._ecr is not None
        self._layer0 = Layer0Sandbox(
            self._containers(state),
            authorization_token=state.keys.layer0_token,
            folder=self._folder.layer0,
            version=self._layer0_version,
            journal=self._journal,
        )
        if self._ecs is not None:
            self._ecs.take_in(Layer0OnEcs(self._layer0.world))
        self._layer0.listen(_port_of(state.addresses.layer0_url if state.addresses else ""))
        return Addresses(
            api_url=self._ecr.api_url, registry_host=self._ecr.registry_host, layer0_url=self._layer0.url
        )

    async def close(self) -> None:
        """Stop serving. Layer0 comes after ECS, as it removes the containers of both.

        Errors are only logged: removing the whole sandbox comes next, and removes what is left here.
        """
        for server in (self._ecs, self._layer0, self._ecr):
            if server is not None:
                try:
                    await asyncio.wait_for(server.close(), _CLOSE_TIMEOUT_S)
                except Exception:  # noqa: BLE001
                    traceback.print_exc()
        if self._neighbours is not None:
            self._neighbours.close()
        self._journal.close()

    def _containers(self, state: SandboxState) -> DockerContainers:
        return DockerContainers(
            str(state.docker_host),
            label=container_label(state.sandbox_id),
            login_of=self._login_of,
        )

    def _login_of(self, registry: str) -> dict[str, str] | None:
        # What ECS's agent would get through its instance role.
        assert self._ecr is not None
        return self._ecr.issue_login() if registry == self._ecr.registry_host else None
