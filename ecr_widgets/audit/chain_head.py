"""Where chains end: exported and kept elsewhere, this proves later that nothing up to there was removed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from ecr_widgets.audit.chain import FILE_NAME, chains_of
from ecr_widgets.audit.scan import shown_name
from ecr_widgets.audit.seal import Link
from ecr_widgets.errors import InputError, RecordError
from ecr_widgets.model.text import json_text


class Head(msgspec.Struct, frozen=True):
    """Where a chain ends: exported, this proves later that nothing up to there was removed or replaced."""

    project: str
    n: Annotated[int, msgspec.Meta(ge=1)]
    sha256: str


class Heads(msgspec.Struct, frozen=True):
    """Where the chains of a runs folder end: its own, and those of its subfolders by prefix, such as `prod/`."""

    own: Head | None
    below: dict[str, Head] = {}

    def to_json(self) -> dict[str, Any]:
        """The exported form; an earlier release finds the folder's own head where it expects it."""
        own: dict[str, Any] = msgspec.to_builtins(self.own) if self.own else {}
        return own | {"below": msgspec.to_builtins(self.below)}


def head_of(links: list[Link]) -> Head | None:
    """Where the chain ends; None if it is empty or its last line cannot be read."""
    if not links or links[-1].seal is None:
        return None
    return Head(links[-1].seal.chain.project, links[-1].seal.n, links[-1].sha256)


def heads_of(runs: Path) -> Heads:
    """Return where every chain in a folder and below ends, for export.

    Raises:
        InputError: The folder cannot be listed.

        RecordError: There is no seal, or a chain's end cannot be read: a head without that chain would say that there was none.
    """
    heads: dict[str, Head] = {}
    for prefix, links, broken in chains_of(runs):
        end = head_of(links)
        if broken or (links and end is None):
            why = broken or f"the last seal in {prefix + FILE_NAME!r} cannot be read: {links[-1].why}"
            raise RecordError(why, hint="see `ecr-widgets audit verify`")
        if end is not None:
            heads[shown_name(prefix)] = end
    if not heads:
        raise RecordError(
            f"there is no complete seal in {str(runs)!r}", hint="see `ecr-widgets audit verify`"
        )
    return Heads(heads.pop("", None), heads)


def export_head(heads: Heads) -> str:
    """Return the heads as one line to keep elsewhere: in a git repository, a ticket, on paper."""
    return _encode(heads.to_json()).decode()


class _Exported(msgspec.Struct):
    """An exported head; the first release had no chains in subfolders."""

    project: str | None = None
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    sha256: str | None = None
    below: dict[str, Head] = {}


def read_head(exported: str | bytes) -> Heads:
    """Read an exported head.

    Args:
        exported: Its text, or the content of a file with it.

    Raises:
        InputError: Not an exported head.
    """
    why = "it names no chain"
    try:
        head = _decode_head(exported if isinstance(exported, str) else json_text(exported))
        if head.project is not None and head.n is not None and head.sha256 is not None:
            return Heads(Head(head.project, head.n, head.sha256), head.below)
        if (head.project, head.n, head.sha256) == (None, None, None) and head.below:
            return Heads(None, head.below)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        why = str(error)
    raise InputError(f"not an exported head: {why}", hint="make one with `ecr-widgets audit head`")


_encode = msgspec.json.Encoder().encode
_decode_head = msgspec.json.Decoder(_Exported).decode
