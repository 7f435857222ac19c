"""Attach a finished run to its images, if that was requested; the libraries for it are loaded while the kernel works."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from threading import Thread
from typing import TYPE_CHECKING

from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.evidence import ATTEST_VARIABLE
from ecr_widgets.secrets.redaction import SecretRegistry

if TYPE_CHECKING:
    from ecr_widgets.audit.registries import Registries


class AttachAtEnd:
    """Attaches one run."""

    def __init__(self, environ: Mapping[str, str], known: SecretRegistry) -> None:
        self._is_asked = environ.get(ATTEST_VARIABLE) == "1"
        self._known = known
        self._loading: Thread | None = None

    def load(self) -> None:
        """Start to load the AWS SDK in the background, since the engine is idle while a cell runs.

        It makes no request and looks up no identity, and only a run that is attached waits for it at its end.
        """
        if self._is_asked and self._loading is None:
            self._loading = Thread(target=self._load, name="load what attaching needs", daemon=True)
            self._loading.start()

    def attach(self, path: Place) -> str | None:
        """Attach a run that was just sealed; return why it is not attached, or None if it is or was not to be."""
        if not self._is_asked:
            return None
        from ecr_widgets.audit.attaching import attach_finished_run

        return attach_finished_run(
            path, self._loaded, holds_secret=lambda text: self._known.redact(text) != text
        )

    def _load(self) -> None:
        # Errors in the settings are reported at the end, by the call that needs them.
        with suppress(Exception):
            self._registries.load()

    def _loaded(self) -> Registries:
        if self._loading is not None:
            self._loading.join()
        return self._registries

    @cached_property
    def _registries(self) -> Registries:
        from ecr_widgets.audit.registries import Registries

        return Registries()
