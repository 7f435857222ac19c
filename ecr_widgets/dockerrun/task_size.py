"""CPU and memory of a task: `"256"` or `"0.25 vCPU"`, `"1024"` or `"1GB"`.

Source: Amazon ECS API, RegisterTaskDefinition: texts with a unit are converted when the definition is registered.
"""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = 1024
_CPU = re.compile(r"(\d{1,9})|(\d{0,6}(?:\.\d{1,6})?) ?vcpu", re.ASCII | re.IGNORECASE)
_MEMORY = re.compile(r"(\d{1,9})|(\d{0,6}(?:\.\d{1,6})?) ?gb", re.ASCII | re.IGNORECASE)


def cpu_units(text: str) -> int | None:
    """CPU units, 1024 per vCPU; None if the text is not a CPU size.

    >>> cpu_units("0.25 vCPU"), cpu_units("512"), cpu_units("half")
    (256, 512, None)
    """
    return _whole(_CPU, text)


def memory_mib(text: str) -> int | None:
    """Memory in MiB; None if the text is not a memory size.

    >>> memory_mib("1GB"), memory_mib("0.5 GB"), memory_mib("512M")
    (1024, 512, None)
    """
    return _whole(_MEMORY, text)


def _whole(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.fullmatch(text.strip())
    if match is None:
        return None
    if match[1]:
        return int(match[1])
    size = Fraction(match[2]) * _UNITS if match[2] else Fraction(0)
    return int(size) if size and size.denominator == 1 else None
