"""Whether the seals of a chain follow each other and are signed by known keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from ecr_widgets.audit.keys import KeyFile
from ecr_widgets.audit.seal import Link, Seal, sha256_of
from ecr_widgets.model.record import Moment

_AT_ONCE = 200


class Trouble(NamedTuple):
    """What is wrong with one link."""

    why: tuple[str, ...]
    forged: bool
    """Whether the seal itself is invalid: its signature is wrong, or its key was not allowed to sign it."""
    unknown_key: bool
    """Whether it cannot be checked, because its key is not known here."""

    @property
    def is_only_unknown(self) -> bool:
        """Whether the only problem is that the key is not known here."""
        return self.unknown_key and len(self.why) == 1


class Past(msgspec.Struct, frozen=True):
    """What must be known about the links before one."""

    count: int = 0
    sha256: str | None = None
    project: str | None = None
    sealed_at: Moment | None = None
    """The latest time of a seal with a valid signature."""


class Watcher:
    """Checks the links of a chain one after another.

    Args:
        past: Where an earlier check stopped; by default the beginning.
    """

    def __init__(self, keys: Mapping[str, KeyFile], past: Past = Past()) -> None:  # noqa: B008 -- frozen
        self._keys = keys
        self.past = past

    def look_at(self, links: Iterable[Link]) -> Iterator[tuple[Link, Trouble | None]]:
        """Yield the next links, each with what is wrong with it, or None.

        A signature is only checked if no later one of the same key vouches for it, because checking takes longer than the rest.
        """
        due = iter(links)
        while some := list(islice(due, _AT_ONCE)):
            for link, is_signed in zip(some, self._signed(some), strict=True):
                yield link, self._look(link, is_signed=is_signed)

    def _signed(self, links: Sequence[Link]) -> list[bool]:
        """Whether each link is signed by the key that it names."""
        answers: list[bool] = []
        vouched: tuple[str | None, str] | None = None
        for link in reversed(links):
            seal = link.seal
            key = self._keys.get(seal.key) if seal is not None else None
            if seal is None or key is None:
                is_signed = False
            else:
                is_signed = (link.sha256, seal.key) == vouched or key.signed(link.signed, link.signature)
            vouched = (
                (seal.chain.previous, seal.key)
                if seal is not None and is_signed and seal.chain.follows_own
                else None
            )
            answers.append(is_signed)
        return answers[::-1]

    def _look(self, link: Link, *, is_signed: bool) -> Trouble | None:
        past, seal = self.past, link.seal
        if seal is None:
            self.past = msgspec.structs.replace(past, count=past.count + 1, sha256=link.sha256)
            return Trouble((link.why or "it is not a seal",), forged=True, unknown_key=False)
        place = []
        if seal.n != past.count + 1:
            place.append(
                f"it is seal {seal.n} at place {past.count + 1}: seals are missing, added or re-ordered"
            )
        if seal.chain.previous != past.sha256:
            place.append("it does not follow the seal before it")
        project = past.project or seal.chain.project
        if seal.chain.project != project:
            place.append("it is of another chain")
        if seal.row != (None if link.row is None else sha256_of(link.row)):
            place.append("the row in front of it is not the one that it signs")
        key = self._keys.get(seal.key)
        forged = key and self._forged(seal, key, is_signed=is_signed)
        latest = past.sealed_at
        if key and not forged:
            latest = seal.sealed_at if latest is None else max(latest, seal.sealed_at)
        self.past = Past(past.count + 1, link.sha256, project, latest)
        unknown = () if key else (f"it is signed by key {seal.key}, which is not known here",)
        why = (*unknown, *((forged,) if forged else ()), *place)
        return Trouble(why, forged=bool(forged), unknown_key=key is None) if why else None

    def _forged(self, seal: Seal, key: KeyFile, *, is_signed: bool) -> str | None:
        if not is_signed:
            return "its signature is wrong: it was changed, or made without the key"
        if seal.sealed_at > key.valid_until:
            return f"it is dated after the end of key {seal.key}"
        latest = self.past.sealed_at
        if key.retired_at is not None and latest is not None and latest > key.retired_at:
            # The signer chose the seal's own date, but not the seals before it.
            return f"key {seal.key} was retired before the seals in front of it were made"
        return None
