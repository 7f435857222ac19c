"""Scripts that import a module by its former name still work."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from ecr_widgets.moved_modules import MOVED


@pytest.mark.parametrize("former", sorted(MOVED))
def test_a_former_name_gives_the_module_itself(former: str) -> None:
    """A former module name gives the same module object with a deprecation warning."""
    module = import_module(MOVED[former])
    sys.modules.pop(former, None)
    with pytest.warns(DeprecationWarning, match=f"{former} is {MOVED[former]} now"):
        assert import_module(former) is module
    assert module.__spec__ is not None
    assert module.__spec__.name == MOVED[former]


def test_a_script_can_import_from_a_former_name() -> None:
    """A `from … import` by a former name works with a warning, and a name that never existed is missing as usual."""
    code = "from ecr_widgets.redaction import SecretRegistry; import ecr_widgets.never_was"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "No module named 'ecr_widgets.never_was'" in done.stderr
    assert "DeprecationWarning: ecr_widgets.redaction is ecr_widgets.secrets.redaction now" in done.stderr
