"""ipykernel for a run: it starts and ends without what only an interactive session needs."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import Any

from ecr_widgets.channel import RUNBOOK_FOLDER_VARIABLE


def become_kernel(*, parent: int | None) -> None:
    """Run the kernel for the connection file that the command line names, until it is told to shut down.

    Args:
        parent: The process that the kernel has to watch, to end with it; None if the system ends the kernel then.
    """
    # The kernel's own objects live until its end. Keeping the garbage collector off them makes the start faster, and the
    # end much faster; cells' objects are collected as usual.
    gc.disable()
    _import_without_debugger()
    import zmq
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import IPKernelApp

    class Kernel(IPythonKernel):
        """A kernel that searches for child processes only if it has any, and does not count ended ones as alive."""

        def _process_children(self) -> list[Any]:
            # ipykernel looks up the parent of every process on the machine.
            if hasattr(os, "waitid"):
                try:
                    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                except ChildProcessError:
                    return []
            # It also waits for children that no cell has reaped, until it is killed itself.
            return [child for child in super()._process_children() if _is_alive(child)]  # type: ignore[no-untyped-call]

    class App(IPKernelApp):
        """An application that never drops output, including the message that a cell is done, and does not hang at its end."""

        def init_path(self) -> None:
            super().init_path()  # type: ignore[no-untyped-call]
            _add_current_folder()
            # Modules are looked up like files: in the current folder, then beside the runbook.
            folder = os.environ.get(RUNBOOK_FOLDER_VARIABLE)
            if folder:
                sys.path.insert(sys.path.index("") + 1 if "" in sys.path else len(sys.path), folder)

        def init_iopub(self, context: Any) -> None:
            context.setsockopt(zmq.SNDHWM, 0)
            super().init_iopub(context)  # type: ignore[no-untyped-call]

        def start(self) -> None:
            gc.freeze()
            # Collect young objects less often than by default: imports make many, and few of them are garbage.
            gc.set_threshold(10_000)
            gc.enable()
            super().start()  # type: ignore[no-untyped-call]
            # The thread that received the shutdown still waits for the last output to be sent. At exit ipykernel ends the
            # sending thread first, and then waits for ten seconds, or until it is killed.
            if self.control_thread is not None:
                self.control_thread.stop()
                self.control_thread.join()

    # History would store the cells' source in a file outside the run.
    words = [*sys.argv[1:], "--HistoryManager.hist_file=:memory:"]
    if parent is not None:
        words.append(f"--IPKernelApp.parent_handle={parent}")
    App.launch_instance(argv=words, kernel_class=Kernel)


def _add_current_folder() -> None:
    """Put the current folder into the path where IPython does: after the standard library, before installed packages.

    The kernel is started without it, which IPython would treat as the user's choice; PYTHONSAFEPATH is such a choice.
    """
    if "" in sys.path or os.environ.get("PYTHONSAFEPATH"):
        return
    names = [path.rpartition("/")[2] for path in sys.path]
    at = next((at for at, name in enumerate(names) if name in ("site-packages", "dist-packages")), 0)
    sys.path.insert(at, "")


def _import_without_debugger() -> None:
    """Import the kernel without a debugger: nobody attaches one to a run, and it is a third of the import time."""
    sys.modules.setdefault("debugpy", None)  # type: ignore[arg-type]
    import ipykernel.debugger  # noqa: F401

    if sys.modules["debugpy"] is None:
        # A cell can still import it.
        del sys.modules["debugpy"]


def _is_alive(child: Any) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return child.is_running() and child.status() != psutil.STATUS_ZOMBIE  # type: ignore[no-any-return]
    return False
