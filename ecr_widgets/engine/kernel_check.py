"""Which kernels the engine runs: those of its own Python."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.runbooks.language import is_python

NATIVE = "python3"
"""What every Jupyter calls the kernel of its own Python."""
_IPYKERNEL = {"ipykernel", "ipykernel_launcher"}


def check_named_kernel(metadata: Mapping[str, Any]) -> None:
    """Refuse a notebook of ours whose kernel is installed here and another one; say so if it is not known here.

    Raises:
        InputError: As by `refuse_other_kernel`.
    """
    spec = metadata.get("kernelspec")
    name = spec.get("name") if isinstance(spec, Mapping) else None
    if not isinstance(name, str) or name in ("", NATIVE):
        return
    try:
        refuse_other_kernel(
            name, start="ecr-widgets", instead=f"name the kernel {NATIVE} in the notebook's metadata"
        )
    except LookupError:  # Jupyter's own error for a kernel that is not installed
        warnings.warn(
            f"the notebook's kernel {name!r} is not installed here: its cells run in {sys.executable}",
            stacklevel=2,
        )


def refuse_other_kernel(name: str, *, start: str = "papermill", instead: str = f"give -k {NATIVE}") -> None:
    """Refuse a kernel that a notebook or `-k` requests if it is not the one that the engine would start.

    Args:
        start: The program that starts the engine.

        instead: How to have the engine's own kernel.

    Raises:
        NoSuchKernel: No kernel has that name; the same error as papermill's.

        InputError: It is for another language or environment, is not ipykernel, or sets variables of its own.
    """
    if name == NATIVE:
        return
    # Imported here, since nearly all notebooks name the engine's own kernel.
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec(name)
    program = next(iter(spec.argv), "")
    if not is_python(spec.language) or not _IPYKERNEL & set(spec.argv):
        raise InputError(
            f"kernel {name!r} refused: its language is {spec.language}, started as {' '.join(spec.argv[:3])!r}, and the"
            " engine runs Python in ipykernel",
            hint="use papermill's own engine",
        )
    if spec.env:
        raise InputError(
            f"kernel {name!r} refused: it asks for variables of its own ({', '.join(sorted(spec.env))})",
            hint=f"set them before {start} starts, and {instead}",
        )
    if not _is_this_python(program):
        raise InputError(
            f"kernel {name!r} refused: it runs {program}, and the engine {sys.executable}",
            hint=f"install ecr-widgets in that environment and start {start} there, or {instead}",
        )


def _is_this_python(program: str) -> bool:
    ours, asked = Path(sys.executable), Path(program)
    if asked.name == program:
        # As in Jupyter, a bare name means the running Python.
        return program in ("python", "python3", f"python3.{sys.version_info.minor}")
    # Compare folders too, because in all virtual environments of a machine the links lead to the same file.
    return asked.exists() and asked.parent.resolve() == ours.parent.resolve() and asked.samefile(ours)
