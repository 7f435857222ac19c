"""`audit verify`: whether saved runs still say what they said when they were sealed.

What this cannot tell, with or without a signature: that a run was faithful to begin with (who controls the machine while
it runs controls what is sealed); that the newest seals were cut off together with their files, unless a head was exported
before; that somebody with the private key made the chain again, unless a head was exported before; and anything about a run
that was never sealed, which is why such runs are named.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ecr_widgets.audit.canonical import Form, differences, form_of
from ecr_widgets.audit.chain import FILE_NAME, Head, Heads, Link, Seal, Trouble, Watcher, head_of
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.reading import read_bytes, read_content, read_file, with_holder
from ecr_widgets.audit.resealing import SealedRun, other_signer, resealed, sealed_run
from ecr_widgets.audit.run import NoRun, Run
from ecr_widgets.audit.scan import shown_name
from ecr_widgets.audit.seal import chains_of
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
    KEY_UNKNOWN = "key unknown"
    """It says what its seal says, and nobody here can tell who made the seal."""
    RETIRED = "retired"
    """It is gone, and that was sealed to be meant."""
    RESEALED = "resealed"
    """It says what its newest seal says, and an earlier seal of the run says something else that no attempt explains."""
    OVERWRITTEN = "overwritten"
    """It is the run that was sealed last under this name; an earlier one is gone."""


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One file and what is to be said of it."""

    path: str
    finding: Finding
    what: tuple[str, ...] = ()
    killed: bool = False
    """Whether it is a run that was killed before it could be sealed, which is no news of its file."""

    @property
    def is_alarm(self) -> bool:
        """Whether somebody has to look at it."""
        return self.finding not in _GOOD and not self.killed


_GOOD = (Finding.INTACT, Finding.RESAVED, Finding.RETIRED)


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
    heads: Heads
    """Where the chains end."""

    @property
    def ok(self) -> bool:
        """Whether every finished run is sealed and says what it said or was retired, under keys in order.

        Runs that were killed before they could be sealed are named, and are no reason to say otherwise.
        """
        return (
            not self.chain and not any(f.is_alarm for f in self.files) and not any(k.alarm for k in self.keys)
        )

    @property
    def words(self) -> str:
        """The same for people: `in order; 1 run was killed before it could be sealed`."""
        order = "in order" if self.ok else "NOT in order"
        killed = sum(f.killed for f in self.files)
        if not killed:
            return order
        who = "1 run was killed before it" if killed == 1 else f"{killed} runs were killed before they"
        return f"{order}; {who} could be sealed"

    def to_json(self) -> dict[str, Any]:
        """The document of `audit verify --json`."""
        return {
            "ok": self.ok,
            "counts": dict(Counter(f.finding.value for f in self.files)),
            "files": [
                {"path": f.path, "finding": f.finding.value, "what": list(f.what)}
                for f in self.files
                if f.finding not in (Finding.INTACT, Finding.RETIRED)
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
            "head": self.heads.to_json() if self.heads != Heads(None) else None,
        }


def verify(runs: Path, names: Iterable[str], *, ring: KeyRing, head: Heads | None = None) -> Verification:
    """Check the chains, every file against its last seal, and the chains against an exported head.

    Chains of folders below are checked too; what was sealed in such a folder needs no other seal.

    Args:
        names: The notebooks that the folder holds now, relative with slashes.

    Raises:
        RecordError: The chain is there and cannot be read.
    """
    keys = ring.known()
    chain: list[str] = []
    uses: list[KeyUse] = []
    sealed: dict[str, _Sealed] = {}
    of_run: dict[str, list[SealedRun]] = {}
    ends: dict[str, list[Link]] = {}
    for prefix, links, broken in chains_of(runs):
        ends[shown_name(prefix)] = links
        found, wrong = _sealed_by(links, keys, prefix, of_run)
        # The nearest chain answers for a name.
        sealed |= {name: _nearer(sealed.get(name), its) for name, its in found.items()}
        chain += [
            f"{prefix}{FILE_NAME}: {each}" if prefix else each for each in (*wrong, *filter(None, (broken,)))
        ]
        uses += _uses(links, keys, ring)
    if head is not None:
        chain += _against(ends, head)
    by_run = {each.seal.run_id: name for name, each in sealed.items()}
    files = []
    for name in sorted(names):
        its = sealed.pop(name, None)
        finding = _unsealed(runs, name, by_run) if its is None else _check(runs, name, its, of_run, keys)
        if finding is not None:
            files.append(finding)
    files += [_gone(name, its) for name, its in sorted(sealed.items())]
    found_heads = {prefix: end for prefix, links in ends.items() if (end := head_of(links)) is not None}
    return Verification(
        tuple(files), tuple(chain), tuple(uses), Heads(found_heads.pop("", None), found_heads)
    )


@dataclass(frozen=True, slots=True)
class _Sealed:
    """The newest seal of a name."""

    seal: Seal
    place: str
    trouble: Trouble | None
    overwritten: tuple[str, ...]
    """Other runs that were sealed under the name before, in words."""
    run: SealedRun | None
    """For comparing it with other seals of the run."""
    retired: bool = False
    not_retired: tuple[str, ...] = ()
    """Why somebody's word that it was removed on purpose does not count."""


def _nearer(outer: _Sealed | None, its: _Sealed) -> _Sealed:
    """The seal in the chain that is nearer to a file, which does not hide that a farther one sealed another run there."""
    if outer is None or outer.retired or outer.seal.run_id == its.seal.run_id:
        return its
    return replace(its, overwritten=(*its.overwritten, *_overwritten(outer, its.seal)))


def _sealed_by(
    links: Iterable[Link], keys: Mapping[str, KeyFile], prefix: str, of_run: dict[str, list[SealedRun]]
) -> tuple[dict[str, _Sealed], list[str]]:
    """What a chain seals, by name, and what is wrong with the chain; its seals are added to those of each run."""
    watcher = Watcher(keys)
    sealed: dict[str, _Sealed] = {}
    wrong: list[str] = []
    told: set[str] = set()
    for at, (link, trouble) in enumerate(watcher.look_at(links), start=1):
        if link.seal is not None:
            name = prefix + link.seal.path
            before = sealed.get(name)
            if link.seal.retired:
                if before is None:
                    wrong.append(f"seal {at}{_of(link)}: it retires what was not sealed before")
                elif why := other_signer(before.seal.key, link.seal.key, link.seal.sealed_at, keys):
                    sealed[name] = replace(before, not_retired=(why,))
                elif trouble is None:
                    sealed[name] = replace(before, overwritten=(), retired=True)
            else:
                run = sealed_run(link.seal, prefix, at)
                if run is not None and (trouble is None or not trouble.forged):
                    of_run.setdefault(run.run_id, []).append(run)
                sealed[name] = _Sealed(link.seal, f"seal {at}", trouble, _overwritten(before, link.seal), run)
        if trouble is not None:
            wrong += [f"seal {at}{_of(link)}: {why}" for why in trouble.why if why not in told]
            if trouble.unknown_key:
                # Once is enough where the key has made thousands.
                told.update(trouble.why)
    return sealed, wrong


def _overwritten(before: _Sealed | None, seal: Seal) -> tuple[str, ...]:
    if before is None or before.retired or before.seal.run_id == seal.run_id:
        return before.overwritten if before else ()
    old = before.seal
    told = f"run {old.run_id} ({old.run.state}), {before.place}, was saved under this name before and is gone"
    return (*before.overwritten, told)


def _gone(name: str, its: _Sealed) -> FileFinding:
    if its.retired:
        return FileFinding(name, Finding.RETIRED, (f"sealed as {its.place}, and removed on purpose",))
    why = f"sealed as {its.place}, and there is no such file"
    return FileFinding(name, Finding.MISSING, (why, *its.not_retired))


def _check(
    runs: Path, name: str, its: _Sealed, of_run: Mapping[str, list[SealedRun]], keys: Mapping[str, KeyFile]
) -> FileFinding | None:
    """A file against the newest seal of its name, and that against others of its run; None while somebody runs it again."""
    trouble = its.trouble
    if trouble is not None and trouble.forged:
        return FileFinding(name, Finding.BROKEN_SEAL, tuple(f"its seal: {why}" for why in trouble.why))
    found = check_file(runs, name, its.seal)
    if found.finding is Finding.CHANGED:
        run = read_file(runs / name, name)
        if isinstance(run, Run) and run.held:
            return None
        return FileFinding(name, found.finding, (*found.what, *its.overwritten))
    if again := _resealed(runs, name, its.run, of_run, keys):
        return FileFinding(name, Finding.RESEALED, (*again, *its.overwritten))
    if trouble is not None and trouble.unknown_key:
        why = (*(f"its seal: {why}" for why in trouble.why), *its.overwritten)
        return FileFinding(name, Finding.KEY_UNKNOWN, why)
    if its.overwritten:
        return FileFinding(name, Finding.OVERWRITTEN, its.overwritten)
    return found


def _resealed(
    runs: Path,
    name: str,
    newest: SealedRun | None,
    of_run: Mapping[str, list[SealedRun]],
    keys: Mapping[str, KeyFile],
) -> tuple[str, ...]:
    others = of_run.get(newest.run_id, []) if newest is not None else []
    if newest is None or len(others) < 2:
        return ()
    try:
        return resealed(newest, others, read_bytes(runs / name), keys)
    except (OSError, ValueError) as error:
        return (f"it cannot be read any more: {error}",)


def check_file(runs: Path, name: str, seal: Seal) -> FileFinding:
    """One file against its seal."""
    try:
        return FileFinding(
            name, *check_content(read_bytes(runs / name), seal.notebook.sha256, seal.notebook.form)
        )
    except (OSError, ValueError) as error:
        return FileFinding(name, Finding.CHANGED, (f"it cannot be read any more: {error}",))


def check_content(content: bytes, file_sha256: str, form: Form) -> tuple[Finding, tuple[str, ...]]:
    """A file's bytes against what was sealed of it."""
    if hashlib.sha256(content).hexdigest() == file_sha256:
        return Finding.INTACT, ()
    try:
        changed = differences(form, form_of(content))
        if changed and not differences(form, form_of(content, first_release=True)):
            changed = ()
    except RecordError as error:
        changed = (str(error),)
    # JSON has several spellings of a number, and the reader takes only one of them for what was sealed.
    if not changed and isinstance(found := read_content(content, ""), NoRun):
        changed = (f"it is {found.kind} now: {found.why}",)
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
    if found.run_id in by_run:
        why = f"its run is sealed as {by_run[found.run_id]!r}: a copy, or renamed"
        return FileFinding(name, Finding.UNSEALED, (why,))
    if found.state is RunState.RUNNING:
        return FileFinding(name, Finding.UNSEALED, ("it was killed before it could be sealed",), killed=True)
    return FileFinding(name, Finding.UNSEALED, ("no seal: nothing says whether it was changed",))


def _against(chains: Mapping[str, list[Link]], heads: Heads) -> Iterator[str]:
    """What the chains lack of those that an exported head names."""
    for prefix, head in ({"": heads.own} | heads.below).items():
        wrong = head and _cut(chains.get(prefix, []), head)
        if head is None or not wrong:
            continue
        there = [other for other, links in chains.items() if other != prefix and not _cut(links, head)]
        moved = f"; that chain is in {there[0] or 'the folder itself'!r} now" if there else ""
        yield f"{prefix}{FILE_NAME}: {wrong}{moved}" if prefix else f"{wrong}{moved}"


def _cut(links: list[Link], head: Head) -> str | None:
    if not links:
        return f"the head says {head.n} seals, and there are none: {FILE_NAME} was removed or replaced"
    if len(links) < head.n:
        return f"the head says {head.n} seals, and {len(links)} are left: the newest were cut off"
    if links[head.n - 1].sha256 != head.sha256:
        return f"seal {head.n} is not the one that the head names: the chain was made again or rolled back"
    return None


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
