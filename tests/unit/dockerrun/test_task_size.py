"""CPU and memory of a task."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.dockerrun.task_size import cpu_units, memory_mib


@given(st.integers(1, 196608))
def test_units_and_fractions_are_the_same_size(units: int) -> None:
    """A plain number is CPU units or MiB; a number of vCPU or GB is 1024 times that, with or without a space, in any case."""
    assert (cpu_units(str(units)), memory_mib(str(units))) == (units, units)
    quarters = Fraction(units, 4)
    text = f"{float(quarters):g}" if units < 4000 else str(units)
    assert (
        cpu_units(f"{text} vCPU")
        == cpu_units(f"{text}vcpu")
        == memory_mib(f"{text}GB")
        == memory_mib(f"{text} gb")
    )
    assert cpu_units(f"{text} vCPU") == (quarters * 1024 if units < 4000 else units * 1024)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1.5", "vCPU", "GB", ".", "0.3 vCPU", "1 MB", "1e3", "²", "9" * 99, "0 GB"]
)
def test_what_is_no_size_is_none(text: str) -> None:
    """A text that is not a whole number of units is None."""
    assert (cpu_units(text), memory_mib(text)) == (None, None)
