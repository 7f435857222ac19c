"""`audit verify`: whether saved runs still say what they said when they were sealed.

What this cannot tell, with or without a signature: that a run was faithful to begin with (who controls the machine while
it runs controls what is sealed); that the newest seals were cut off together with their files, unless a head was exported
before; that somebody with the private key made the chain anew, unless a head was exported before; and anything about a run
that was never sealed, which is why such runs are named.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ecr_widgets.audit.canonical import differences, form_of
from ecr_widgets.audit.chain import FILE_NAME, Head, Link, Seal, head_of, troubles
from ecr_widgets.audit.found import NoRun, Run
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.reading import read_bytes, read_content, with_holder
from ecr_widgets.audit.scan import shown_name
from ecr_widgets.audit.seal import links_of
from ecr_widgets.errors import RecordError
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import to_rfc3339


class Finding(StrEnum):
    """What verify says of one file; the value is its spelling everywhere."""

    INTACT = "intact"
    RESAVED = "resaved"
    """Other bytes that say the same: no alarm."""
    CHANGED = "changed"
    MISSING = "missing"
    UNSEALED = "unsealed"
    BROKEN_SEAL = "broken seal"


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One file and what is to be said of it."""

    path: str
    finding: Finding
    what: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyUse:
    """Which seals one key has made."""

    key: str
    status: str
    first: int
    last: int
    seals: int
    alarm: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that verify found."""

    files: tuple[FileFinding, ...]
    chain: tuple[str, ...]
    """What is wrong with the chain itself, or with it and an exported head."""
    keys: tuple[KeyUse, ...]
    head: Head | None

    @property
    def ok(self) -> bool:
        """Whether every finished run is sealed and says what it said, under keys in order."""
        good = (Finding.INTACT, Finding.RESAVED)
        return (
            not self.chain
            and all(f.finding in good for f in self.files)
            and not any(k.alarm for k in self.keys)
        )

    def to_json(self) -> dict[str, Any]:
        """The document of `audit verify --json`."""
        return {
            "ok": self.ok,
            "counts": dict(Counter(f.finding.value for f in self.files)),
            "files": [
                {"path": f.path, "finding": f.finding.value, "what": list(f.what)}
                for f in self.files
                if f.finding is not Finding.INTACT
            ],
            "chain": list(self.chain),
            "keys": [
                {
                    "key": k.key,
                    "status": k.status,
                    "first": k.first,
                    "last": k.last,
                    "seals": k.seals,
                    "ok": not k.alarm,
                }
                for k in self.keys
            ],
            "head": self.head
            and {"project": self.head.project, "n": self.head.n, "sha256": self.head.sha256},
        }


def verify(runs: Path, names: Iterable[str], *, ring: KeyRing, head: Head | None = None) -> Verification:
    """Check the chain, every file against its last seal, and the chain against an exported head.

    Args:
        names: The notebooks that the folder holds now, relative with slashes.

    Raises:
        RecordError: The chain is there and cannot be read.
    """
    links = links_of(runs)
    keys = ring.known()
    wrong = troubles(links, keys)
    chain = [f"seal {at + 1}{_of(links[at])}: {why}" for at, whys in wrong.items() for why in whys]
    if head is not None:
        chain += _against(links, head)
    last: dict[str, int] = {link.seal.path: at for at, link in enumerate(links) if link.seal}
    by_run = {link.seal.run_id: link.seal.path for link in links if link.seal}
    standing = sorted(names)
    files = []
    for name in standing:
        at = last.pop(name, None)
        if at is None:
            found = _unsealed(runs, name, by_run)
        else:
            seal = links[at].seal
            assert seal is not None
            found = (
                _bad_seal(name, wrong[at]) if _not_credible(wrong.get(at)) else check_file(runs, name, seal)
            )
        if found is not None:
            files.append(found)
    files += [
        FileFinding(name, Finding.MISSING, (f"sealed as seal {at + 1}, and there is no such file",))
        for name, at in sorted(last.items())
    ]
    return Verification(tuple(files), tuple(chain), _uses(links, keys, ring), head_of(links))


def check_file(runs: Path, name: str, seal: Seal) -> FileFinding:
    """One file against its seal."""
    try:
        return FileFinding(name, *check_content(read_bytes(runs / name), seal))
    except (OSError, ValueError) as error:
        return FileFinding(name, Finding.CHANGED, (f"it cannot be read any more: {error}",))


def check_content(content: bytes, seal: Seal) -> tuple[Finding, tuple[str, ...]]:
    """A file's bytes against its seal."""
    if hashlib.sha256(content).hexdigest() == seal.file_sha256:
        return Finding.INTACT, ()
    try:
        changed = differences(seal.form, form_of(content))
    except RecordError as error:
        changed = (str(error),)
    if changed:
        return Finding.CHANGED, changed
    return Finding.RESAVED, ("saved again: other bytes, the same content",)


def _unsealed(runs: Path, name: str, by_run: Mapping[str | None, str]) -> FileFinding | None:
    if name != shown_name(name):
        why = "its name is not UTF-8, so no seal can name it"
        return FileFinding(shown_name(name), Finding.UNSEALED, (why,))
    try:
        found = read_content(read_bytes(runs / name), name)
    except (OSError, ValueError) as error:
        return FileFinding(name, Finding.UNSEALED, (f"it cannot be read: {error}",))
    found = with_holder(found, runs / name)
    if isinstance(found, NoRun):
        return (
            None
            if found.kind == "foreign"
            else FileFinding(name, Finding.UNSEALED, (f"unreadable: {found.why}",))
        )
    if found.held:
        return None
    return FileFinding(name, Finding.UNSEALED, (_why_unsealed(found, by_run),))


def _why_unsealed(run: Run, by_run: Mapping[str | None, str]) -> str:
    if run.run_id in by_run:
        return f"its run is sealed as {by_run[run.run_id]!r}: a copy, or renamed"
    if run.state is RunState.RUNNING:
        return "it was interrupted before it could be sealed"
    return "no seal: nothing says whether it was changed"


def _not_credible(wrong: list[str] | None) -> bool:
    # Out of place is the chain's trouble; with a wrong signature the seal itself says nothing.
    return wrong is not None and any("sign" in why or "key" in why for why in wrong)


def _bad_seal(name: str, wrong: list[str]) -> FileFinding:
    return FileFinding(name, Finding.BROKEN_SEAL, tuple(f"its seal: {why}" for why in wrong))


def _against(links: list[Link], head: Head) -> list[str]:
    if not links:
        return [f"the head says {head.n} seals, and there are none: {FILE_NAME} was removed or replaced"]
    if len(links) < head.n:
        return [f"the head says {head.n} seals, and {len(links)} are left: the newest were cut off"]
    if links[head.n - 1].sha256 != head.sha256:
        return [f"seal {head.n} is not the one that the head names: the chain was made anew or rolled back"]
    return []


def _uses(links: list[Link], keys: Mapping[str, KeyFile], ring: KeyRing) -> tuple[KeyUse, ...]:
    places: dict[str, list[int]] = {}
    for at, link in enumerate(links):
        if link.seal is not None:
            places.setdefault(link.seal.key, []).append(at + 1)
    found = []
    for key, used in places.items():
        known = keys.get(key)
        trouble = ring.trouble(key) if known else "not known here"
        if trouble:
            status = trouble
        elif known is not None and known.retired_at:
            status = f"retired {to_rfc3339(known.retired_at)}"
        else:
            status = "in use"
        found.append(KeyUse(key, status, used[0], used[-1], len(used), bool(trouble)))
    return tuple(found)


def _of(link: Link) -> str:
    return f" ({link.seal.path})" if link.seal else ""
