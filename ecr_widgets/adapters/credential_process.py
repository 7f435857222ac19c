"""A profile's `credential_process`, which has to end: botocore waits for it, and reads what it prints, without limits."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Sequence

from botocore.credentials import AssumeRoleProvider, CredentialResolver, ProcessProvider

from ecr_widgets.adapters.programs import kill_with_children
from ecr_widgets.errors import SettingsError

LONGEST_S = 120.0
"""How long it may take, in seconds: some ask for a code, or have the user log in with a browser."""
_MOST_BYTES = 1 << 20
"""Keys and tokens together are a few kB."""


def limit(resolver: CredentialResolver) -> None:
    """Have the programs that a session's profiles name end in time; neither botocore's classes nor other sessions change."""
    for provider in resolver.providers:
        if isinstance(provider, ProcessProvider):
            provider._popen = LimitedProcess  # type: ignore[attr-defined]
        elif isinstance(provider, AssumeRoleProvider):
            # The profile whose identity takes on the role may have a program, too.
            builder = provider._profile_provider_builder  # type: ignore[attr-defined]
            builder._create_process_provider = lambda name, builder=builder: ProcessProvider(
                name, lambda: builder._session.full_config, popen=LimitedProcess
            )


class LimitedProcess:
    """As much of `subprocess.Popen` as botocore uses."""

    def __init__(self, command: Sequence[str], *, stdout: int, stderr: int) -> None:
        self._name = command[0] if command else ""
        # In this process's group: it may ask its user on the terminal.
        self._process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        self.returncode: int | None = None

    def communicate(self) -> tuple[bytes, bytes]:
        """What it prints until it ends.

        Raises:
            SettingsError: It took or printed too much, and was killed, with the programs that it had started.
        """
        try:
            out, err = self._read(time.monotonic() + LONGEST_S)
        except BaseException:
            kill_with_children(self._process)
            raise
        self.returncode = self._process.returncode
        return out, err

    def _read(self, deadline_s: float) -> tuple[bytes, bytes]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        read = {self._process.stdout: bytearray(), self._process.stderr: bytearray()}
        with self._process.stdout, self._process.stderr, selectors.DefaultSelector() as open_ones:
            for pipe in read:
                open_ones.register(pipe, selectors.EVENT_READ)
            while open_ones.get_map():
                ready = open_ones.select(max(0.0, deadline_s - time.monotonic()))
                if not ready:
                    raise self._refused(f"did not end in {LONGEST_S:g} s")
                for key, _ in ready:
                    piece = os.read(key.fd, 1 << 16)
                    if not piece:
                        open_ones.unregister(key.fileobj)
                    read[key.fileobj] += piece  # type: ignore[index]
                if sum(map(len, read.values())) > _MOST_BYTES:
                    raise self._refused("printed more than 1 MB")
        try:
            self._process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise self._refused(f"did not end in {LONGEST_S:g} s") from error
        out, err = read.values()
        return bytes(out), bytes(err)

    def _refused(self, what: str) -> SettingsError:
        return SettingsError(
            f"credential_process {self._name!r} {what}, and was killed",
            hint="run it by hand: it has to print one JSON object with Version, AccessKeyId and SecretAccessKey, and end",
        )
