"""A notebook's first call: reads the settings, connects the adapters and returns the kit."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_widgets.actor import actor
from ecr_widgets.approved_files import ApprovedFiles
from ecr_widgets.channel import (
    APPROVED_VARIABLE,
    PLAN_VARIABLE,
    POLICY_SHA256_VARIABLE,
    RESUMED_VARIABLE,
    RUNBOOK_FOLDER_VARIABLE,
    WAIT_VARIABLE,
    RunChannel,
    is_kernel_of_run,
    new_run_id,
    open_channel,
    outside_a_run,
)
from ecr_widgets.errors import RecordError, SettingsError
from ecr_widgets.model.bucket_path import place_of
from ecr_widgets.model.ecs_names import is_ecs
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.ports.gate import Gate, NoGate
from ecr_widgets.recording.earlier import open_earlier
from ecr_widgets.recording.recorder import Recorder, RecordSink, numbers_of
from ecr_widgets.runbooks import shipped_folder
from ecr_widgets.runbooks.pasted_parameters import check_declared
from ecr_widgets.secrets.encodings import SHORTEST_SECRET
from ecr_widgets.secrets.kernel_output import guard_kernel_output
from ecr_widgets.secrets.redaction import SecretRegistry, secrets_in
from ecr_widgets.settings import Settings, lease_s

if TYPE_CHECKING:
    from ecr_widgets.adapters.boto_ecr import BotoEcr
    from ecr_widgets.adapters.clock import SystemClock
    from ecr_widgets.adapters.docker_engine import DockerEngine
    from ecr_widgets.adapters.ecs.client import BotoEcs
    from ecr_widgets.adapters.layer0.client import Layer0Api
    from ecr_widgets.adapters.locks import FileLocks
    from ecr_widgets.adapters.registry import OciRegistry
    from ecr_widgets.adapters.s3_leases import S3Locks
    from ecr_widgets.engine.action_run import ActionRuns
    from ecr_widgets.fleets.runs import OwnRuns
    from ecr_widgets.model.authorization_token import AuthorizationToken
    from ecr_widgets.model.evidence import ImageEvidence
    from ecr_widgets.model.image_reference import ImageReference
    from ecr_widgets.model.services import Proof
    from ecr_widgets.ports import Registry
    from ecr_widgets.ports.run_store import RunStore


@contextmanager
def _installed() -> Iterator[None]:
    """Import installed packages within the block, even if a file beside the notebook has the same name, such as docker.py."""
    before = sys.path.copy()
    sys.path[:] = [each for each in before if each not in ("", os.environ.get(RUNBOOK_FOLDER_VARIABLE))]
    try:
        yield
    finally:
        sys.path[:] = before


def deploy_targets(environ: Mapping[str, str]) -> tuple[Layer0Api | BotoEcs, ...]:
    """The deploy targets that the settings name, for read-only use.

    Raises:
        SettingsError: The settings cannot be used.
    """
    settings = Settings.from_environment(environ)
    return LiveConnections(settings, SecretRegistry(), None, run_id="", environ=environ, wait_s=0.0).targets()


class _NoPolicy(NoGate):
    """Without a policy every image passes; evidence can still be read."""

    def evidence_of(
        self, image: ImageReference, registry: Registry, token: AuthorizationToken
    ) -> ImageEvidence:
        from ecr_widgets.audit.keys import default_ring
        from ecr_widgets.audit.of_image import evidence_of

        return evidence_of(image, registry, token, default_ring().known())


class LiveConnections:
    """The real systems; a library is imported when its system is first used."""

    def __init__(
        self,
        settings: Settings,
        known: SecretRegistry,
        channel: RunChannel | None,
        *,
        run_id: str,
        environ: Mapping[str, str],
        wait_s: float,
    ) -> None:
        self._settings = settings
        self._known = known
        self._channel = channel
        self._run_id = run_id
        self._environ = environ
        self._wait_s = wait_s
        self._shared: set[str] = set()

    @cached_property
    def clock(self) -> SystemClock:
        from ecr_widgets.adapters.clock import SystemClock

        return SystemClock()

    @cached_property
    def locks(self) -> FileLocks | S3Locks:
        """Locks on this host's disk, or leases in the bucket if runs are saved in one: those hold across hosts."""
        from ecr_widgets.adapters.locks import FileLocks, Holder, lock_folder

        holder = Holder(self._run_id, socket.gethostname(), os.getpid())
        # A notebook worked on by hand may stay open for days; it holds a target for one step at a time.
        until_exit = self._channel is not None
        if isinstance(self._settings.runs, Path):
            return FileLocks(
                lock_folder(self._environ), holder, self.clock, wait_s=self._wait_s, until_exit=until_exit
            )
        with _installed():
            from ecr_widgets.adapters.run_stores import bucket_store
            from ecr_widgets.adapters.s3_leases import S3Leases, S3Locks

            leases = S3Leases(
                bucket_store(self._settings.runs), holder, actor=actor(), ttl_s=lease_s(self._environ)
            )
        return S3Locks(leases, wait_s=self._wait_s, until_exit=until_exit)

    @cached_property
    def _runs(self) -> RunStore:
        with _installed():
            from ecr_widgets.adapters.run_stores import store_of

            return store_of(self._settings.runs)

    @cached_property
    def ecr(self) -> BotoEcr:
        with _installed():
            from ecr_widgets.adapters.boto_ecr import BotoEcr
        return BotoEcr(on_secret=self.on_secret)

    def ecr_of(self, *, profile: str | None, region: str | None) -> BotoEcr:
        with _installed():
            from ecr_widgets.adapters.boto_ecr import BotoEcr
        return BotoEcr(profile=profile, region=region, on_secret=self.on_secret)

    @cached_property
    def registry(self) -> OciRegistry:
        with _installed():
            from ecr_widgets.adapters.registry import OciRegistry
        return OciRegistry()

    @cached_property
    def engine(self) -> DockerEngine:
        with _installed():
            from ecr_widgets.adapters.docker_engine import DockerEngine
        return DockerEngine()

    @cached_property
    def layer0(self) -> Layer0Api:
        with _installed():
            from ecr_widgets.adapters.layer0.client import Layer0Api
        settings = self._settings.layer0
        if settings is None:
            raise SettingsError(
                "Layer0 is not set up: LAYER0_API_ENDPOINT and LAYER0_AUTH_TOKEN are missing",
                hint="take both from `l0-setup endpoint`, or from `ecr-widgets sandbox env`",
            )
        self.on_secret(settings.authorization_token)
        return Layer0Api(settings)

    @cached_property
    def ecs(self) -> BotoEcs:
        """Amazon ECS of this run's account and region."""
        with _installed():
            from ecr_widgets.adapters.ecs.client import BotoEcs
        return BotoEcs(self.clock, on_secret=self.on_secret)

    @cached_property
    def fleet_runs(self) -> OwnRuns:
        """Runs of our own command; the engine of this run waits for them to end."""
        with _installed():
            from ecr_widgets.fleets.runs import OwnRuns
        need_to_end = (lambda _: None) if self._channel is None else self._channel.need_to_end
        return OwnRuns(self._settings.runs, self._known, need_to_end)

    def services_of(self, environment: str) -> Layer0Api | BotoEcs:
        return self.ecs if is_ecs(environment) else self.layer0

    def targets(self) -> tuple[Layer0Api | BotoEcs, ...]:
        """The targets that the settings name: Layer0, if it is set up or is the only one, and ECS."""
        named = self._settings.targets
        needs_layer0 = "layer0" in named and (self._settings.layer0 is not None or "ecs" not in named)
        return (*((self.layer0,) if needs_layer0 else ()), *((self.ecs,) if "ecs" in named else ()))

    @cached_property
    def gate(self) -> Gate:
        if not self._settings.policy:
            return _NoPolicy()
        from ecr_widgets.audit.gate import FileGate

        return FileGate(
            self._settings.policy,
            sha256=self._environ.get(POLICY_SHA256_VARIABLE, ""),
            override=self._settings.override_gate,
            is_sealed_run=self._channel is not None,
        )

    def proven_deploys(self, service_id: str) -> Mapping[str, Proof]:
        from ecr_widgets.proofs import proven_deploys

        return proven_deploys(self._runs, service_id)

    def register_secret(self, secret: str) -> None:
        """The same as `on_secret` for a secret that a person names; a secret that is too short is refused."""
        self._known.register(secret)
        self.on_secret(secret)

    def on_secret(self, secret: str) -> None:
        """Keep a secret out of every record, here and in the engine that saves the run.

        A secret too short to be masked without harm to the text is ignored; only test stand-ins issue such secrets.
        """
        if len(secret) < SHORTEST_SECRET or secret in self._shared:
            return
        self._known.register(secret)
        if self._channel is not None:
            self._channel.share_secret(secret)
        self._shared.add(secret)


def connect(
    *,
    sink: RecordSink | None = None,
    environ: Mapping[str, str] = os.environ,
    wait_s: float | None = None,
) -> NotebookKit:
    """Return the kit for what the environment's standard variables name.

    Nothing is contacted yet. In a notebook every step displays its record in the cell that calls it; elsewhere the record
    goes to stderr.

    Args:
        sink: Where records go instead.

        wait_s: How long to wait for a target that another run holds, in seconds; None for what the run was started with,
            which is 0 in a notebook worked on by hand.

    Raises:
        UnknownParameter: In a notebook: a parameter is not of the type that its cell declares.
    """
    kernel = _kernel()
    if kernel is not None and not is_kernel_of_run(_connection_file(kernel), environ):
        environ = outside_a_run(environ)
    channel = open_channel(environ)
    if channel is None:
        environ = outside_a_run(environ)
    settings = Settings.from_environment(environ)
    known = SecretRegistry(environ)
    if kernel is not None:
        guard_kernel_output(kernel, known)
        check_declared(kernel.shell.user_ns)
    run_id = channel.run_id if channel is not None else new_run_id()
    if wait_s is None:
        wait_s = float(environ.get(WAIT_VARIABLE) or 0)
    connections = LiveConnections(settings, known, channel, run_id=run_id, environ=environ, wait_s=wait_s)
    for secret in secrets_in(environ):
        # The engine knows the secrets it was started with; a cell may have set others since.
        connections.on_secret(secret)
    resumed = environ.get(RESUMED_VARIABLE)
    recorder = Recorder(
        run_id,
        connections.clock,
        sink or _default_sink(channel, in_notebook=kernel is not None),
        redact=known.redact,
        numbers=numbers_of(run_id),
        earlier=open_earlier(resumed, run_id, _read_saved) if resumed and channel is not None else None,
    )

    def actions() -> ActionRuns:
        from ecr_widgets.engine.action_run import ActionRuns

        return ActionRuns(settings.runs, environ, known)

    return NotebookKit(
        connections,
        recorder,
        actions=actions,
        files=_folders(environ),
        examples=shipped_folder(),
        approved=ApprovedFiles.parse(environ.get(APPROVED_VARIABLE, "")),
        planning=bool(environ.get(PLAN_VARIABLE)),
    )


def _read_saved(address: str) -> bytes:
    from ecr_widgets.adapters.run_stores import store_of

    place = place_of(address)
    stored = store_of(place.parent).read(place.name)
    if stored is None:
        raise RecordError(f"the run {address} that should be resumed is gone", hint="start a new run")
    return stored.content


def _folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Folders in which a runbook's relative paths are looked up, in this order.

    If the engine has said where the runbook is, its folder comes last: a copied runbook's files are never replaced by the
    shipped examples. Papermill without our engine does not say which notebook it runs; then the examples come last, and
    records say when one was used.
    """
    own = environ.get(RUNBOOK_FOLDER_VARIABLE)
    # The first is the current folder at the time of the call: cells may change it.
    return (Path(), Path(own) if own else shipped_folder())


def _default_sink(channel: RunChannel | None, *, in_notebook: bool) -> RecordSink:
    if in_notebook:
        from ecr_widgets.recording.notebook import NotebookSink

        return NotebookSink(channel)
    from ecr_widgets.recording.terminal import TerminalSink

    return TerminalSink()


def _kernel() -> Any:
    """The kernel that runs this code; None outside a kernel."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None)


def _connection_file(kernel: Any) -> str:
    """The kernel's connection file, which says where it listens; empty if there is none."""
    return str(getattr(kernel.parent, "abs_connection_file", ""))
