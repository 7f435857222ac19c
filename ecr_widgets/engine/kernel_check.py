"""Which kernels the engine runs: those of its own Python."""

from __future__ import annotations

import sys
from pathlib import Path

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager

from ecr_widgets.errors import InputError
from ecr_widgets.runbooks.language import is_python

_IPYKERNEL = {"ipykernel", "ipykernel_launcher"}


def refuse_other_kernel(name: str) -> None:
    """Refuse a kernel that a notebook or `-k` requests if it is not the one that the engine would start.

    Raises:
        NoSuchKernel: No kernel has that name; the same error as papermill's.

        InputError: It is for another language or environment, is not ipykernel, or sets variables of its own.
    """
    if name == NATIVE_KERNEL_NAME:
        return
    spec = KernelSpecManager().get_kernel_spec(name)
    program = spec.argv[0]
    if not is_python(spec.language) or not _IPYKERNEL & set(spec.argv):
        raise InputError(
            f"kernel {name!r} refused: its language is {spec.language}, started as {' '.join(spec.argv[:3])!r}, and the"
            " engine runs Python in ipykernel",
            hint="use papermill's own engine",
        )
    if spec.env:
        raise InputError(
            f"kernel {name!r} refused: it asks for variables of its own ({', '.join(sorted(spec.env))})",
            hint="set them before papermill starts, and give -k python3",
        )
    if not _is_this_python(program):
        raise InputError(
            f"kernel {name!r} refused: it runs {program}, and the engine {sys.executable}",
            hint="install ecr-widgets in that environment and start papermill there, or give -k python3",
        )


def _is_this_python(program: str) -> bool:
    ours, asked = Path(sys.executable), Path(program)
    if asked.name == program:
        # As in Jupyter, a bare name means the running Python.
        return program in ("python", "python3", f"python3.{sys.version_info.minor}")
    # Compare folders too, because in all virtual environments of a machine the links lead to the same file.
    return asked.exists() and asked.parent.resolve() == ours.parent.resolve() and asked.samefile(ours)
