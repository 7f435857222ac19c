"""The same work on many names, in two processes if that is faster and safe."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

MANY = 500
"""With fewer names, starting another process takes longer than the work."""
_CHUNK = 50
_PROCESSES = 2


_Asked = TypeVar("_Asked")
_Done = TypeVar("_Done")


def in_parallel(work: Callable[[_Asked], _Done], names: Sequence[_Asked]) -> Generator[_Done, None, None]:
    """Yield the result of `work` for each name, in order; close the generator to stop early.

    Processes are forked, so only if no other thread could hold a lock at that moment: on the command line, not in a kernel. If a
    worker is killed, the rest is done here.
    """
    done = 0
    if len(names) >= MANY and threading.active_count() == 1 and (os.cpu_count() or 1) > 1:
        # Here: each run that is sealed goes by way of this module, and needs no pool.
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool
        from multiprocessing import get_context

        pool = ProcessPoolExecutor(_PROCESSES, mp_context=get_context("fork"))
        try:
            for each in pool.map(work, names, chunksize=_CHUNK):
                done += 1
                yield each
        except BrokenProcessPool:
            pass
        finally:
            pool.shutdown(cancel_futures=True)
    for name in names[done:]:
        yield work(name)
