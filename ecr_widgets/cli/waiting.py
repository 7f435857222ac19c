"""How long to wait: for another run that holds a target, and for work in progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from ecr_widgets.cli.printing import Command

LONG = "--wait-if-busy"
"""The name to use in messages: some commands have a different `--wait`."""


class _Seconds(click.FloatRange):
    """A finite number of seconds: `nan` and `inf` are floats too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert it, and refuse `nan` and `inf`."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return seconds


def wait_option(*names: str) -> Callable[[Command], Command]:
    """`--wait-if-busy SECONDS`, and any shorter names given; the parameter is `wait_if_busy_s`."""
    return click.option(
        LONG,
        *names,
        "wait_if_busy_s",
        type=_Seconds(min=0),
        default=0.0,
        metavar="SECONDS",
        help="How long to wait for a target that another run holds  [default: 0]",
    )


def timeout_option(
    default_s: float, help_text: str = "Longest wait, in seconds."
) -> Callable[[Command], Command]:
    """`--timeout SECONDS`; the parameter is `timeout_s`."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=_Seconds(min=0, min_open=True),
        default=default_s,
        show_default=True,
        metavar="SECONDS",
        help=help_text,
    )
