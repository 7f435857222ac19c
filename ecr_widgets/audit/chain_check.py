"""Whether the seals of a chain follow each other and are signed by keys that are known."""

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
    """Whether the seal itself says nothing: its signature is wrong, or its key may not have signed it."""
    unknown_key: bool
    """Whether nobody here can tell, because the key is not known."""

    @property
    def is_only_unknown(self) -> bool:
        """Whether nothing else is wrong than that the key is not known here."""
        return self.unknown_key and len(self.why) == 1


class Past(msgspec.Struct, frozen=True):
    """What is to be known of the links before one."""

    count: int = 0
    sha256: str | None = None
    project: str | None = None
    sealed_at: Moment | None = None
    """The latest time of a seal whose signature is right."""


class Watcher:
    """Looks at one link of a chain after the other.

    Args:
        past: Where an earlier look stopped; by default the beginning.
    """

    def __init__(self, keys: Mapping[str, KeyFile], past: Past = Past()) -> None:  # noqa: B008 -- frozen
        self._keys = keys
        self.past = past

    def look_at(self, links: Iterable[Link]) -> Iterator[tuple[Link, Trouble | None]]:
        """The next links, each with what is wrong with it, None where nothing is.

        A signature is checked where no later one of its own key vouches for it; that takes longer than all else in reading a chain.
        """
        due = iter(links)
        while some := list(islice(due, _AT_ONCE)):
            for link, is_signed in zip(some, self._signed(some), strict=True):
                yield link, self._look(link, is_signed=is_signed)

    def _signed(self, links: Sequence[Link]) -> list[bool]:
        """Whether each is signed by the key that it names."""
        found: list[bool] = []
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
            found.append(is_signed)
        return found[::-1]

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
            # Its own date is the signer's word; the seals before it are not.
            return f"key {seal.key} was retired before the seals in front of it were made"
        return None
