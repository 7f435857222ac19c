"""Variables as they are typed."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.panels.variables import parsed_variables, without_secrets


def test_a_value_holds_anything_but_a_line_break() -> None:
    """A value may contain anything but a line break; a line may name another container, and blank lines are skipped."""
    text = "LIST=a,b, c\n\nsidecar MODE=x=y\nEMPTY="
    assert parsed_variables(text, "web") == {
        "web": {"LIST": "a,b, c", "EMPTY": ""},
        "sidecar": {"MODE": "x=y"},
    }


@pytest.mark.parametrize("text", ["NAME", "1A=x", "a b C=x", "=x"])
def test_what_is_no_variable_is_refused(text: str) -> None:
    """A line that is not a variable is refused without showing it, since it may be a secret."""
    with pytest.raises(InputError, match="cannot be read; type NAME=value, one per line"):
        parsed_variables(text, "web")


def test_only_the_lines_that_are_harmless_stay() -> None:
    """Lines with secrets or without a variable are removed from the field, since front ends save it."""
    assert without_secrets("A=1\nDB_PASSWORD=swordfish-of-the-sea\nsidecar B=2\nstray") == "A=1\nsidecar B=2"
