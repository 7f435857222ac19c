"""How long to wait: for another run that holds a target, and for what was begun."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

LONG = "--wait-if-busy"
"""What our messages name: some verbs have another `--wait`."""


class _Seconds(click.FloatRange):
    """A number of seconds that there is: `nan` and `inf` are floats too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return seconds


def wait_option(*names: str) -> Callable[[Command], Command]:
    """`--wait-if-busy SECONDS`, by shorter names too where they are free; the parameter is `wait_if_busy_s`."""
    return click.option(
        LONG,
        *names,
        "wait_if_busy_s",
        type=_Seconds(min=0),
        default=0.0,
        metavar="SECONDS",
        help="Wait that long for a target that another run holds  [default: 0]",
    )


def timeout_option(default_s: float, told: str = "Longest wait, in seconds.") -> Callable[[Command], Command]:
    """`--timeout SECONDS`; the parameter is `timeout_s`."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=_Seconds(min=0, min_open=True),
        default=default_s,
        show_default=True,
        metavar="SECONDS",
        help=told,
    )
