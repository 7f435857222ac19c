"""Whether a repository's tags can move, and which ones are exceptions.

Source: Amazon ECR API, PutImageTagMutability: `MUTABLE`, `IMMUTABLE`, and each with `_WITH_EXCLUSION`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ecr_widgets.errors import InputError

_FILTER = re.compile(r"[0-9a-zA-Z._*-]{1,128}", re.ASCII)
_MOST_FILTERS, _MOST_STARS = 5, 2


@dataclass(frozen=True, slots=True)
class TagRule:
    """The rule for all tags but the exceptions, for which the opposite holds."""

    immutable: bool
    exceptions: tuple[str, ...] = ()
    """Patterns such as `dev-*`, where `*` matches anything."""

    @property
    def wire(self) -> str:
        """ECR's word for it."""
        return f"{'IMMUTABLE' if self.immutable else 'MUTABLE'}{'_WITH_EXCLUSION' if self.exceptions else ''}"

    def is_immutable(self, tag: str) -> bool:
        """Whether this tag cannot be moved to another image."""
        patterns = (re.escape(each).replace(r"\*", ".*") for each in self.exceptions)
        return self.immutable != any(re.fullmatch(each, tag) for each in patterns)

    def __str__(self) -> str:
        words = "immutable" if self.immutable else "can move"
        return f"{words} but {', '.join(self.exceptions)}" if self.exceptions else words


def read_exceptions(given: str | Iterable[str]) -> tuple[str, ...]:
    """Parse the patterns of excepted tags; in a text they are separated by spaces or commas.

    Raises:
        InputError: ECR would refuse one of them, or that many.
    """
    patterns = given.replace(",", " ").split() if isinstance(given, str) else [*given]
    for each in patterns:
        if not _FILTER.fullmatch(each) or each.count("*") > _MOST_STARS:
            raise InputError(
                f"{each!r} is not a pattern for tags",
                hint=f"letters, digits, . _ - and at most {_MOST_STARS} *, such as dev-*",
            )
    if len(set(patterns)) > _MOST_FILTERS:
        raise InputError(f"{len(set(patterns))} patterns for tags", hint=f"ECR takes {_MOST_FILTERS}")
    return tuple(dict.fromkeys(patterns))
