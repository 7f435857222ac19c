"""ipykernel as a run has it: it starts and ends without what only an interactive session needs."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import Any

from ecr_widgets.channel import RUNBOOK_FOLDER_VARIABLE


def become_kernel(*, parent: int | None) -> None:
    """Run the kernel of the connection file that the command line names, until it is told to end.

    Args:
        parent: The process whose end the kernel has to look for by itself; None where the system ends it then.
    """
    # What a kernel consists of stays until its end. Not looking for garbage in it makes the start quicker, and the end
    # much; what cells make is collected as ever.
    gc.disable()
    _import_without_debugger()
    import zmq
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelapp import IPKernelApp

    class Kernel(IPythonKernel):
        """One that looks for processes to end only where it has any, and takes none for alive that has ended."""

        def _process_children(self) -> list[Any]:
            # Of every process of the machine ipykernel asks who its parent is.
            if hasattr(os, "waitid"):
                try:
                    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                except ChildProcessError:
                    return []
            # And it waits for those that no cell has taken leave of, until it is killed itself.
            return [child for child in super()._process_children() if _is_alive(child)]  # type: ignore[no-untyped-call]

    class App(IPKernelApp):
        """One that drops no output, and so neither the word that a cell is done, and that does not get stuck in its end."""

        def init_path(self) -> None:
            super().init_path()  # type: ignore[no-untyped-call]
            _add_current_folder()
            # Modules are looked for where files are: in the current folder, then beside the runbook.
            folder = os.environ.get(RUNBOOK_FOLDER_VARIABLE)
            if folder:
                sys.path.insert(sys.path.index("") + 1 if "" in sys.path else len(sys.path), folder)

        def init_iopub(self, context: Any) -> None:
            context.setsockopt(zmq.SNDHWM, 0)
            super().init_iopub(context)  # type: ignore[no-untyped-call]

        def start(self) -> None:
            gc.freeze()
            # Young objects are looked at less often than by default: imports make many, and few of them are garbage.
            gc.set_threshold(10_000)
            gc.enable()
            super().start()  # type: ignore[no-untyped-call]
            # The thread that heard of the end still waits for the last output to be sent. At exit ipykernel ends the one
            # that sends first, and then waits for ten seconds, or until it is killed.
            if self.control_thread is not None:
                self.control_thread.stop()
                self.control_thread.join()

    # History would keep what cells hold in a file outside the run.
    words = [*sys.argv[1:], "--HistoryManager.hist_file=:memory:"]
    if parent is not None:
        words.append(f"--IPKernelApp.parent_handle={parent}")
    App.launch_instance(argv=words, kernel_class=Kernel)


def _add_current_folder() -> None:
    """Put it where IPython does: after the standard library, before what is installed.

    The kernel is started without it, which IPython takes for the user's wish; PYTHONSAFEPATH is one.
    """
    if "" in sys.path or os.environ.get("PYTHONSAFEPATH"):
        return
    names = [path.rpartition("/")[2] for path in sys.path]
    at = next((at for at, name in enumerate(names) if name in ("site-packages", "dist-packages")), 0)
    sys.path.insert(at, "")


def _import_without_debugger() -> None:
    """Nobody attaches a debugger to a run, and loading one takes a third of what importing a kernel does."""
    sys.modules.setdefault("debugpy", None)  # type: ignore[arg-type]
    import ipykernel.debugger  # noqa: F401

    if sys.modules["debugpy"] is None:
        # A cell that asks for it gets it.
        del sys.modules["debugpy"]


def _is_alive(child: Any) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return child.is_running() and child.status() != psutil.STATUS_ZOMBIE  # type: ignore[no-any-return]
    return False
