"""Which kernels the engine runs: those of its own Python."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecr_widgets.errors import InputError
from ecr_widgets.runbooks.language import is_python

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

NATIVE = "python3"
"""What every Jupyter calls the kernel of its own Python."""
_IPYKERNEL = {"ipykernel", "ipykernel_launcher"}


def check_named_kernel(metadata: Mapping[str, Any]) -> None:
    """Refuse a notebook of ours whose kernel is installed here and another one; say so if it is not known here.

    Raises:
        InputError: It is for another language or environment, is not ipykernel, or sets variables of its own.
    """
    spec = metadata.get("kernelspec")
    name = spec.get("name") if isinstance(spec, Mapping) else None
    if not isinstance(name, str) or name in ("", NATIVE):
        return
    if (installed := _installed(name)) is None:
        warnings.warn(
            f"the notebook's kernel {name!r} is not installed here: its cells run in {sys.executable}",
            stacklevel=2,
        )
    else:
        instead = f"name the kernel {NATIVE} in the notebook's metadata"
        _refuse_other(name, installed, start="ecr-widgets", instead=instead)


def refuse_other_kernel(name: str) -> None:
    """Refuse a kernel that papermill's caller or the notebook requests if it is not the one that the engine would start.

    Raises:
        InputError: It is not installed, is for another language or environment, is not ipykernel, or sets variables of its own.
    """
    if name == NATIVE:
        return
    instead = f"give -k {NATIVE}"
    if (installed := _installed(name)) is None:
        raise InputError(f"kernel {name!r} refused: it is not installed here", hint=instead)
    _refuse_other(name, installed, start="papermill", instead=instead)


def _installed(name: str) -> KernelSpec | None:
    # Imported here, since nearly all notebooks name the engine's own kernel.
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        return None


def _refuse_other(name: str, spec: KernelSpec, *, start: str, instead: str) -> None:
    """Refuse an installed kernel.

    Args:
        start: The program that starts the engine.

        instead: How to have the engine's own kernel.
    """
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
