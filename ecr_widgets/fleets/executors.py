"""What starts the runs of a fleet: threads of this process, or an existing Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from ecr_widgets.errors import RunError, SettingsError

_ANSWER_S = 30


@contextmanager
def open_executor(at_once: int, scheduler: str) -> Iterator[Executor]:
    """Open an executor; leaving it does not wait for what is still running.

    Raises:
        SettingsError: Dask is not installed.

        RunError: The scheduler does not answer.
    """
    if scheduler:
        with _dask(scheduler) as executor:
            yield executor
        return
    threads = ThreadPoolExecutor(at_once, thread_name_prefix="ecr-widgets target")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _dask(scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as error:
        raise SettingsError(
            "--scheduler needs Dask, which is not installed", hint="pip install 'ecr-widgets[fleet]'"
        ) from error
    try:
        client = Client(scheduler, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise RunError(
            f"the scheduler at {scheduler} does not answer: {error or type(error).__name__}",
            run_id="",
            hint="give the address that `dask scheduler` printed",
        ) from error
    try:
        # Two targets may look alike to Dask, and no engine may repeat a change on its own.
        yield client.get_executor(pure=False, retries=0)
    finally:
        client.close()
