"""Former module names: a script that imports one still works, with a warning that gives the new name."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    f"ecr_widgets.{former}": f"ecr_widgets.{name}"
    for former, name in {
        "adapters.ecr": "adapters.boto_ecr",
        "build_context": "model.build_context",
        "engine_address": "settings.engine_address",
        "kernel_output": "secrets.kernel_output",
        "model.dockerrun": "dockerrun.document",
        "model.dockerrun_diff": "dockerrun.diff",
        "model.dockerrun_images": "dockerrun.images",
        "model.dockerrun_masking": "dockerrun.masking",
        "model.engine": "model.engine_facts",
        "redaction": "secrets.redaction",
        "secret_forms": "secrets.encodings",
        "secret_parameters": "secrets.parameters",
        "secret_views": "secrets.views",
    }.items()
}
"""Kept until the first release after 0.1; nothing in the package itself uses them."""


class FormerNames:
    """Finds a module by its former name; a finder and loader in one, without the slow import of their base classes."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for a name that has moved, else None."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None  # type: ignore[arg-type]  # by its methods

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself, loaded by its current name."""
        warnings.warn(f"{spec.name} is {MOVED[spec.name]} now", DeprecationWarning, stacklevel=2)
        module = import_module(MOVED[spec.name])
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restore the module's own spec, which the import machinery has replaced; the module has already run."""
        module.__spec__ = self._own_spec
