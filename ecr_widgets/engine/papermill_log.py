"""What papermill says of a run that is not so."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def knowing_parameters(names: Collection[str]) -> Iterator[None]:
    """Keep papermill from calling these parameters unknown within the block; all else that it says is let through.

    It reads declarations by patterns, and none of them takes an annotation with quotes, such as Literal["stop"]. The
    engine reads them as Python does, and refuses what is not declared.
    """
    untrue = {f"Passed unknown parameter: {name}" for name in names}

    def is_true(record: logging.LogRecord) -> bool:
        return record.getMessage() not in untrue

    log = logging.getLogger("papermill")
    log.addFilter(is_true)
    try:
        yield
    finally:
        log.removeFilter(is_true)
