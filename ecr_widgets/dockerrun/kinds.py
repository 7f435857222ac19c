"""Kinds of values in a task definition, and the check of a document against them.

How the two dialects differ: Layer0 drops members that only ECS has, and members that neither has are refused as typos.
For ECS an unknown member is kept and only warned about: its API gets new ones several times a year, and nobody should
have to wait for a release of this package to use them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecr_widgets.dockerrun.reading import kind_of, shorten, step
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.services import Dialect

# Comments, and the version that Elastic Beanstalk requires: nobody expects these to change anything.
_NO_SETTINGS = ("AWSEBDockerrunVersion", "_", "$", "//", "#", "x-")
_WORDS: Mapping[type, str] = {str: "text", int: "a whole number", bool: "true or false"}
_HINTS: Mapping[type, str] = {
    str: "quote it",
    int: "write it without quotes and point",
    bool: "write it without quotes",
}


@dataclass(frozen=True, slots=True)
class Words:
    """A text that is one of a few words."""

    allowed: tuple[str, ...]
    ecs_only: tuple[str, ...] = ()
    grows: bool = False
    """Whether ECS gets new ones now and then, so that an unknown one is not an error for ECS."""

    def of(self, dialect: Dialect) -> tuple[str, ...]:
        """The words that a dialect has."""
        return self.allowed + (self.ecs_only if dialect is Dialect.ECS else ())


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of items of one kind."""

    item: Kind
    keys: tuple[str, ...] = ()
    """Members that identify its items, if order means nothing."""
    is_ordered: bool = True


@dataclass(frozen=True, slots=True)
class OwnTexts:
    """An object with user-defined member names, such as labels."""


@dataclass(frozen=True, slots=True)
class Members:
    """An object."""

    kinds: Mapping[str, Kind]
    required: frozenset[str] = frozenset()
    layer0_required: frozenset[str] = frozenset()
    """Further members that Layer0 requires and newer ECS does not."""
    ecs_only: frozenset[str] = frozenset()
    """Members that ECS reads and Layer0 drops."""
    foreign: frozenset[str] = frozenset()
    """Members that neither registers and that are not typos: they are dropped."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values that mean the same as an absent member."""
    ecs_defaults: Mapping[str, Any] = field(default_factory=dict)

    def default(self, name: str, dialect: Dialect) -> Any:
        """The value that means the same as an absent member; None if there is none."""
        return self.defaults.get(name, self.ecs_defaults.get(name) if dialect is Dialect.ECS else None)

    def find(self, key: str, dialect: Dialect) -> str | None:
        """The member's name as ECS spells it, whatever the case of the key; None if the dialect does not read it.

        Source: Go's JSON decoder, which Layer0 uses, accepts member names in any case.
        """
        name = _same_but_case(key, self.kinds)
        return None if dialect is Dialect.LAYER0 and name in self.ecs_only else name

    def is_foreign(self, key: str) -> bool:
        """Whether it is one of `foreign`, ignoring case."""
        return _same_but_case(key, self.foreign) is not None

    def is_dropped(self, key: str) -> bool:
        """Whether no dialect registers it: a comment, or a foreign member."""
        return key.startswith(_NO_SETTINGS) or self.is_foreign(key)

    def is_known(self, key: str) -> bool:
        """Whether ECS reads it, or nobody expects it to be read; anything else is a typo."""
        return self.is_dropped(key) or _same_but_case(key, self.kinds) is not None

    def meant(self, key: str) -> str | None:
        """The member that a misspelled one was probably meant to be; None if none is close."""
        near = difflib.get_close_matches(key, (*self.kinds, *self.foreign), n=1)
        return near[0] if near else None


Kind = type[str] | type[int] | type[bool] | Words | Listed | OwnTexts | Members


def check_members(value: Any, kind: Kind, at: str, dialect: Dialect) -> None:
    """Refuse values of the wrong type and, for Layer0, members that nothing reads; null means the same as absent.

    Raises:
        InvalidDockerrun: With the place as JSON pointer.
    """
    if value is None:
        return
    if isinstance(kind, Listed):
        _check_list(value, kind, at, dialect)
    elif isinstance(kind, Members):
        _check_object(value, kind, at, dialect)
    elif isinstance(kind, OwnTexts):
        _check_own_texts(value, at)
    else:
        _check_plain(value, kind, at, dialect)


def unread_members(value: Any, kind: Kind, at: str = "") -> Iterator[str]:
    """JSON pointers of the members that Layer0 drops, in a document that passed `check_members`."""
    if isinstance(kind, Listed):
        for number, item in enumerate(value or ()):
            yield from unread_members(item, kind.item, step(at, number))
    elif isinstance(kind, Members):
        for key, item in (value or {}).items():
            name = kind.find(key, Dialect.LAYER0)
            if name is not None:
                yield from unread_members(item, kind.kinds[name], step(at, key))
            elif item is not None and not key.startswith(_NO_SETTINGS):
                yield step(at, key)


def unknown_places(value: Any, kind: Kind, at: str = "") -> Iterator[tuple[str, str | None]]:
    """JSON pointers of ECS members and values that this version does not know, with what was probably meant."""
    if isinstance(kind, Listed):
        for number, item in enumerate(value):
            yield from unknown_places(item, kind.item, step(at, number))
    elif isinstance(kind, Members):
        for key, item in value.items():
            if key in kind.kinds:
                yield from unknown_places(item, kind.kinds[key], step(at, key))
            else:
                yield step(at, key), kind.meant(key)
    elif isinstance(kind, Words) and value not in ("", *kind.of(Dialect.ECS)):
        near = difflib.get_close_matches(value, kind.of(Dialect.ECS), n=1)
        yield at, near[0] if near else None


def wrong_type(value: Any, wanted: str, at: str, hint: str | None = None) -> InvalidDockerrun:
    """The error for a value of the wrong type."""
    return InvalidDockerrun(f"{kind_of(value)} where {wanted} belongs", pointer=at, hint=hint)


def _same_but_case(key: str, names: Mapping[str, Kind] | frozenset[str]) -> str | None:
    if key in names:
        return key
    return next((name for name in names if name.casefold() == key.casefold()), None)


def _check_list(value: Any, kind: Listed, at: str, dialect: Dialect) -> None:
    if not isinstance(value, list):
        raise wrong_type(value, "a list", at)
    for number, item in enumerate(value):
        if item is None:
            raise wrong_type(item, _article(kind.item), step(at, number))
        check_members(item, kind.item, step(at, number), dialect)


def _check_own_texts(value: Any, at: str) -> None:
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", at)
    for key, item in value.items():
        if item is not None and not isinstance(item, str):
            raise wrong_type(item, "text", step(at, key), _HINTS[str])


def _check_object(value: Any, kind: Members, at: str, dialect: Dialect) -> None:
    if not isinstance(value, dict):
        raise wrong_type(value, "an object", at)
    present: dict[str, str] = {}
    for key, item in value.items():
        name = kind.find(key, dialect)
        if name is not None:
            if (other := present.setdefault(name, key)) != key:
                raise InvalidDockerrun(
                    f"members {shorten(other)} and {shorten(key)} differ in case only",
                    pointer=step(at, key),
                    hint="keep one of them",
                )
            check_members(item, kind.kinds[name], step(at, key), dialect)
        elif item is not None and dialect is Dialect.LAYER0 and not kind.is_known(key):
            near = kind.meant(key)
            raise InvalidDockerrun(
                f"neither Layer0 nor ECS has a member {shorten(key)} here",
                pointer=step(at, key),
                hint=f"did you mean {near}?" if near else "remove it; nothing reads it",
            )
    required = kind.required | (kind.layer0_required if dialect is Dialect.LAYER0 else frozenset())
    for name in sorted(required):
        if value.get(present.get(name, name)) in (None, "", []):
            raise InvalidDockerrun(f"no {name}", pointer=at, hint=f'add "{name}"')


def _check_plain(value: Any, kind: type[str | int | bool] | Words, at: str, dialect: Dialect) -> None:
    plain = str if isinstance(kind, Words) else kind
    # bool is an int in Python, not in JSON.
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise wrong_type(value, _WORDS[plain], at, _HINTS[plain])
    if not isinstance(kind, Words) or (kind.grows and dialect is Dialect.ECS):
        return
    allowed = kind.of(dialect)
    if value and value not in allowed:
        raise InvalidDockerrun(
            f"{shorten(str(value))} is not one of the values that ECS accepts here",
            pointer=at,
            hint=f"use one of: {', '.join(allowed)}",
        )


def _article(kind: Kind) -> str:
    if isinstance(kind, Members | OwnTexts):
        return "an object"
    if isinstance(kind, Listed):
        return "a list"
    return "text" if isinstance(kind, Words) else _WORDS[kind]
