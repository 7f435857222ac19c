"""Options of papermill's caller for the execution, under papermill's and nbclient's names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.record import SKIP_TAG

_WITHOUT_EFFECT = frozenset({
    "coalesce_streams", "display_data_priority", "input_path", "iopub_timeout", "ipython_hist_file", "nest_asyncio",
    "raise_on_iopub_timeout", "record_timing", "shell_timeout_interval", "shutdown_kernel", "startup_timeout",
})  # fmt: skip
"""Options for papermill's own client, which do not affect what is run or kept."""
_REFUSED = frozenset({
    "error_on_timeout", "extra_arguments", "interrupt_on_timeout", "kernel_manager_class", "km", "on_cell_complete",
    "on_cell_error", "on_cell_execute", "on_cell_executed", "on_cell_start", "on_notebook_complete",
    "on_notebook_error", "on_notebook_start", "resources", "timeout_func",
})  # fmt: skip
"""Options that would change what is run, which this engine does not support."""


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """How cells are run."""

    cell_timeout_s: float | None = None
    """Longest time for one cell; None for no limit."""
    start_timeout_s: float = 60.0
    """Longest time for the kernel's start."""
    skip_tag: str = SKIP_TAG
    """Tag of cells that are not run."""
    allow_errors: bool = False
    """Whether the run continues after every cell that raises."""
    allowed_errors: Collection[str] = ()
    """Names of errors after which the run continues."""
    force_raise_errors: bool = False
    """Whether the run stops at the first error, whatever the other options say."""
    store_widget_state: bool = True
    """Whether the state of widgets is saved."""

    @classmethod
    def from_papermill(
        cls, *, execution_timeout: float | None, start_timeout: float, more: Mapping[str, Any]
    ) -> ExecutionOptions:
        """Read what papermill passes on.

        Args:
            more: Options of its Python API that it passes to nbclient.

        Raises:
            InputError: This engine does not support one of them.
        """
        given = {name: value for name, value in more.items() if value is not None}
        refused = sorted(_REFUSED & set(given))
        if refused:
            raise InputError(
                f"papermill's option {refused[0]!r} is refused: this engine does not have it",
                hint="leave it out, or use papermill's own engine",
            )
        timeout_s = execution_timeout or given.pop("timeout", None)
        options = cls(
            cell_timeout_s=timeout_s if timeout_s and timeout_s > 0 else None,
            start_timeout_s=start_timeout,
            skip_tag=str(given.pop("skip_cells_with_tag", SKIP_TAG)),
            allow_errors=bool(given.pop("allow_errors", False)),
            allowed_errors=tuple(given.pop("allow_error_names", ())),
            force_raise_errors=bool(given.pop("force_raise_errors", False)),
            store_widget_state=bool(given.pop("store_widget_state", True)),
        )
        for name in sorted(set(given) - _WITHOUT_EFFECT):
            logging.getLogger("papermill").warning("The engine ecr_widgets does not know the option %r", name)
        return options

    def skips(self, cell: Mapping[str, Any]) -> bool:
        """Whether a code cell is skipped: it is empty or has the tag."""
        return not cell["source"].strip() or self.skip_tag in _tags(cell)

    def continues_after(self, cell: Mapping[str, Any], error: str) -> bool:
        """Whether the cells below one that raised are run nevertheless."""
        if self.force_raise_errors:
            return False
        return self.allow_errors or error in self.allowed_errors or "raises-exception" in _tags(cell)


def _tags(cell: Mapping[str, Any]) -> Collection[str]:
    tags = cell["metadata"].get("tags")
    return tags if isinstance(tags, list) else ()
