"""The differences between two Dockerruns, by their canonical forms: spelling and what Layer0 or ECS adds do not count."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any

from ecr_widgets.dockerrun.dialect import RULES
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.form import NAMED, same
from ecr_widgets.dockerrun.masking import MASK, is_hidden, masked, secret_arguments
from ecr_widgets.dockerrun.reading import step
from ecr_widgets.model.text import cut

_KEY = secrets.token_bytes(32)
"""New in each process, so that guesses cannot be checked against a saved mark."""
_MARK_LENGTH = 8
_LONGEST_TEXT = 300
# Matched by name, so that a container inserted at the front does not make all the others look changed.
_NAMED = frozenset(step("", name) for name in NAMED)


class ChangeKind(StrEnum):
    """What happened at a place."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference at one place of the canonical form.

    The values are kept out of the repr because they may be secret; `str` shows marks for those that may be.
    """

    pointer: str
    """JSON pointer into the later form, or into the earlier one if the place was removed."""
    kind: ChangeKind
    before: Any = field(default=None, repr=False)
    after: Any = field(default=None, repr=False)
    is_secret: bool = False
    """Whether its neighbours mark it as secret, such as `--password` before it."""

    def __str__(self) -> str:
        shown = {
            ChangeKind.ADDED: lambda: self._show(self.after),
            ChangeKind.REMOVED: lambda: self._show(self.before),
            ChangeKind.CHANGED: lambda: f"{self._show(self.before)} → {self._show(self.after)}",
        }[self.kind]()
        # Names in the pointer may be user-defined too: written as JSON they stay on one line.
        return f"{self.kind} {json.dumps(self.pointer)[1:-1]}: {shown}"

    def _show(self, value: Any) -> str:
        parts = self.pointer.split("/")
        if self.is_secret or any(is_hidden(holder, name, value) for holder, name in pairwise(parts)):
            return _hidden(value)
        return cut(json.dumps(masked(value, _hidden, holder=parts[-1])), _LONGEST_TEXT)


def _hidden(value: Any) -> str:
    """A mark that shows whether two hidden values are equal, within one process only."""
    made = hmac.new(_KEY, json.dumps(value, sort_keys=True).encode(), "sha256").hexdigest()
    return f"{MASK} ({made[:_MARK_LENGTH]})"


def diff(before: Dockerrun, after: Dockerrun) -> tuple[Change, ...]:
    """What changed; empty if and only if both have the same `content_sha256`."""
    changes = _between(before.normalized(), after.normalized(), "")
    if RULES[after.dialect].order_counts:
        return tuple(changes)
    return tuple(
        each for each in changes if each.pointer not in _NAMED or each.kind is not ChangeKind.CHANGED
    )


def contents(dockerrun: Dockerrun) -> tuple[Change, ...]:
    """Everything in a Dockerrun as additions by a first deploy, one for each setting."""
    form = dockerrun.normalized()
    named = [(place, form[key]) for key in sorted(form) if (place := step("", key)) in _NAMED]
    plain = [Change(step("", key), ChangeKind.ADDED, after=form[key]) for key in sorted(form)]
    items = ((step(place, number), item) for place, listed in named for number, item in enumerate(listed))
    return (
        *(each for each in plain if each.pointer not in _NAMED),
        *(
            Change(step(at, key), ChangeKind.ADDED, after=item[key])
            for at, item in items
            for key in sorted(item, key=lambda key: (key != "name", key != "image", key))
        ),
    )


def _between(before: Any, after: Any, at: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            place = step(at, key)
            if key not in after:
                yield Change(place, ChangeKind.REMOVED, before=before[key])
            elif key not in before:
                yield Change(place, ChangeKind.ADDED, after=after[key])
            else:
                yield from _between(before[key], after[key], place)
    elif isinstance(before, list) and isinstance(after, list):
        yield from (_by_name if at in _NAMED else _by_place)(before, after, at)
    elif not same(before, after):
        yield Change(at, ChangeKind.CHANGED, before, after)


def _by_place(before: Sequence[Any], after: Sequence[Any], at: str) -> Iterator[Change]:
    secret = secret_arguments(before) | secret_arguments(after)
    for each in _items(before, after, at):
        texts = {text for text in (each.before, each.after) if isinstance(text, str)}
        yield each if secret.isdisjoint(texts) else replace(each, is_secret=True)


def _items(before: Sequence[Any], after: Sequence[Any], at: str) -> Iterator[Change]:
    shared = min(len(before), len(after))
    for number in range(shared):
        yield from _between(before[number], after[number], step(at, number))
    for number, value in enumerate(before[shared:], start=shared):
        yield Change(step(at, number), ChangeKind.REMOVED, before=value)
    for number, value in enumerate(after[shared:], start=shared):
        yield Change(step(at, number), ChangeKind.ADDED, after=value)


def _by_name(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], at: str
) -> Iterator[Change]:
    old, new = (
        {str(item.get("name", "")): (n, item) for n, item in enumerate(items)} for items in (before, after)
    )
    for name, (number, item) in old.items():
        if name not in new:
            yield Change(step(at, number), ChangeKind.REMOVED, before=item)
    for name, (number, item) in new.items():
        if name in old:
            yield from _between(old[name][1], item, step(at, number))
        else:
            yield Change(step(at, number), ChangeKind.ADDED, after=item)
    # Order is a difference for Layer0 only.
    stayed = [name for name in old if name in new], [name for name in new if name in old]
    if stayed[0] != stayed[1]:
        yield Change(at, ChangeKind.CHANGED, *stayed)
