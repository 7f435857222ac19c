"""The option of every verb that holds a target: how long to wait for another run that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

LONG = "--wait-if-busy"
"""What our messages name: some verbs have another `--wait`."""


def wait_option(*names: str) -> Callable[[Command], Command]:
    """`--wait-if-busy SECONDS`, by shorter names too where they are free; the parameter is `wait_if_busy_s`."""
    return click.option(
        LONG,
        *names,
        "wait_if_busy_s",
        type=click.FloatRange(min=0),
        default=0.0,
        metavar="SECONDS",
        help="Wait that long for a target that another run holds  [default: 0]",
    )
