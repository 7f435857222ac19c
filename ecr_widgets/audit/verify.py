"""`audit verify`: whether saved runs still say what they said when they were sealed.

What it cannot detect, with or without signatures: a run that was not genuine in the first place (someone who controls the machine
during a run controls what is sealed); that the newest seals were cut off together with their files, or that someone with the
private key rebuilt the chain, unless a head was exported before; and any change to a run that was never sealed, which is why
such runs are listed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeGuard

from ecr_widgets.adapters.run_stores import bucket_store
from ecr_widgets.audit.chain import FILE_NAME, chains_of
from ecr_widgets.audit.chain_check import Past, Trouble, Watcher
from ecr_widgets.audit.chain_head import Head, Heads, head_of
from ecr_widgets.audit.findings import FileFinding, Finding, KeyUse, Verification, check_content
from ecr_widgets.audit.keys import KeyFile, KeyRing
from ecr_widgets.audit.reading import os_reason
from ecr_widgets.audit.resealing import SealedRun, other_signer, resealed, sealed_run
from ecr_widgets.audit.run import NoRun, Run
from ecr_widgets.audit.run_files import RunFiles, files_of, found_in
from ecr_widgets.audit.scan import shown_name
from ecr_widgets.audit.seal import Link, Seal
from ecr_widgets.audit.seal_objects import beginning_of, chains_of_days, day_of
from ecr_widgets.model.bucket_path import BucketPath, Place
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import to_rfc3339


def verify(runs: Place, names: Iterable[str], *, ring: KeyRing, head: Heads | None = None) -> Verification:
    """Check the chains, every file against its newest seal, and the chains against an exported head.

    Chains of subfolders are checked too; a run that was sealed in its subfolder needs no other seal. In a bucket each day has a
    chain, whose first seal follows one of the day before.

    Args:
        names: The notebooks that exist now, as relative paths with slashes.

    Raises:
        RecordError: The chain exists but cannot be read.

        OSError: A bucket does not answer.
    """
    keys = ring.known()
    chain: list[str] = []
    signers: dict[str, list[str]] = {}
    sealed: dict[str, _Sealed] = {}
    of_run: dict[str, list[SealedRun]] = {}
    ends: dict[str, _End] = {}
    for each in _chains(runs):
        ends[shown_name(each.prefix)] = _End([link.sha256 for link in each.links], head_of(each.links))
        its_seals = sealed if each.is_day else {}
        wrong = _seal(each, keys, its_seals, of_run)
        if not each.is_day:
            # The chain nearest to a file decides.
            sealed |= {name: _nearer(sealed.get(name), its) for name, its in its_seals.items()}
        chain += [f"{each.where}{why}" for why in (*wrong, *filter(None, (each.broken,)))]
        signers.setdefault("" if each.is_day else each.prefix, []).extend(
            link.seal.key if link.seal else "" for link in each.links
        )
    by_run = {each.seal.run_id: name for name, each in sealed.items()}
    files, found_files = files_of(runs), []
    sought = sorted(names)
    unlisted = tuple(name for name in sought if name.endswith("/"))
    if head is not None:
        chain += _against(ends, head, unlisted)
    with closing(files.contents(sought)) as contents:
        for name, content in zip(sought, contents, strict=True):
            its = sealed.pop(name, None)
            finding = (
                _unsealed(files, name, content, by_run)
                if its is None
                else _check(files, name, content, its, of_run, keys)
            )
            if finding is not None:
                found_files.append(finding)
    found_files += [
        _unreadable(name, "its folder cannot be listed") if name.startswith(unlisted) else _gone(name, its)
        for name, its in sorted(sealed.items())
    ]
    heads = {prefix: end.head for prefix, end in ends.items() if end.head is not None}
    if isinstance(runs, BucketPath):
        # The newest day's head covers all days before it.
        heads = dict([*heads.items()][-1:])
    uses = [use for of_chain in signers.values() for use in _uses(of_chain, keys, ring)]
    return Verification(tuple(found_files), tuple(chain), tuple(uses), Heads(heads.pop("", None), heads))


class _Chain(NamedTuple):
    """One chain of seals."""

    prefix: str
    """The prefix of the names in it, or the day of a bucket's chain."""
    where: str
    """Put in front of each problem with it; empty for the folder's own chain."""
    links: list[Link]
    broken: str | None = None
    """Why it cannot be read, or does not follow the chain before it."""
    is_day: bool = False


class _End(NamedTuple):
    sha256s: list[str]
    """The sha256 of each seal."""
    head: Head | None


_NO_CHAIN = _End([], None)


def _chains(runs: Place) -> Iterator[_Chain]:
    if isinstance(runs, Path):
        for prefix, links, broken in chains_of(runs):
            yield _Chain(prefix, f"{prefix}{FILE_NAME}: " if prefix else "", links, broken)
        return
    for day, links, broken in chains_of_days(bucket_store(runs)):
        yield _Chain(day, f"seals/{day}: ", links, broken, is_day=True)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """The newest seal of a name."""

    seal: Seal
    place: str
    trouble: Trouble | None
    overwritten: tuple[str, ...]
    """Other runs that were sealed under the name earlier, in words."""
    run: SealedRun | None
    """The seal's data for comparing it with other seals of the run."""
    retired: bool = False
    not_retired: tuple[str, ...] = ()
    """Why a retirement of the run does not count."""


def _nearer(outer: _Sealed | None, its: _Sealed) -> _Sealed:
    """The seal in the chain nearer to the file, with any other run that the farther chain sealed under that name."""
    if outer is None or outer.retired or outer.seal.run_id == its.seal.run_id:
        return its
    return replace(its, overwritten=(*its.overwritten, *_overwritten(outer, its.seal)))


def _seal(
    chain: _Chain, keys: Mapping[str, KeyFile], sealed: dict[str, _Sealed], of_run: dict[str, list[SealedRun]]
) -> list[str]:
    """Collect a chain's seals by name in `sealed` and by run in `of_run`; return what is wrong with the chain."""
    watcher = Watcher(keys, beginning_of(day_of(chain.prefix), chain.links[0]) if chain.is_day else Past())
    wrong: list[str] = []
    noted: set[str] = set()
    for at, (link, trouble) in enumerate(watcher.look_at(chain.links), start=1):
        if link.seal is not None:
            name = link.seal.path if chain.is_day else chain.prefix + link.seal.path
            before = sealed.get(name)
            if link.seal.retired:
                if before is None:
                    wrong.append(f"seal {at}{_of(link)}: it retires what was not sealed before")
                elif why := other_signer(before.seal.key, link.seal.key, link.seal.sealed_at, keys):
                    sealed[name] = replace(before, not_retired=(why,))
                elif trouble is None:
                    sealed[name] = replace(before, overwritten=(), retired=True)
            else:
                run = sealed_run(link.seal, chain.prefix, at, path=name)
                if run is not None and (trouble is None or not trouble.forged):
                    of_run.setdefault(run.run_id, []).append(run)
                place = f"seal {at}{f' of {chain.prefix}' if chain.is_day else ''}"
                sealed[name] = _Sealed(link.seal, place, trouble, _overwritten(before, link.seal), run)
        if trouble is not None:
            wrong += [f"seal {at}{_of(link)}: {why}" for why in trouble.why if why not in noted]
            if trouble.unknown_key:
                # Report it once: the key may have made thousands of seals.
                noted.update(trouble.why)
    return wrong


def _overwritten(before: _Sealed | None, seal: Seal) -> tuple[str, ...]:
    if before is None or before.retired or before.seal.run_id == seal.run_id:
        return before.overwritten if before else ()
    old = before.seal
    gone = f"run {old.run_id} ({old.run.state}), {before.place}, was saved under this name before and is gone"
    return (*before.overwritten, gone)


def _is_out_of_reach(content: bytes | OSError | ValueError) -> TypeGuard[OSError]:
    """Whether the system refuses to read a file; a link in a file's place was put there."""
    return isinstance(content, OSError) and content.errno != errno.ELOOP


def _unreadable(name: str, why: str) -> FileFinding:
    return FileFinding(name, Finding.UNREADABLE, (f"it cannot be read: {why}",))


def _gone(name: str, its: _Sealed) -> FileFinding:
    if its.retired:
        return FileFinding(name, Finding.RETIRED, (f"sealed as {its.place}, and removed on purpose",))
    why = f"sealed as {its.place}, and there is no such file"
    return FileFinding(name, Finding.MISSING, (why, *its.not_retired))


def _check(
    files: RunFiles,
    name: str,
    content: bytes | OSError | ValueError,
    its: _Sealed,
    of_run: Mapping[str, list[SealedRun]],
    keys: Mapping[str, KeyFile],
) -> FileFinding | None:
    """Check a file against its newest seal, and that against other seals of the run; None while the run is being resumed."""
    trouble = its.trouble
    if trouble is not None and trouble.forged:
        return FileFinding(name, Finding.BROKEN_SEAL, tuple(f"its seal: {why}" for why in trouble.why))
    if isinstance(content, FileNotFoundError):
        return _gone(name, its)
    if _is_out_of_reach(content):
        return _unreadable(name, os_reason(content))
    if not isinstance(content, bytes):
        why = os_reason(content) if isinstance(content, OSError) else content
        return FileFinding(name, Finding.CHANGED, (f"it is {why} now", *its.overwritten))
    finding = FileFinding(name, *check_content(content, its.seal.notebook.sha256, its.seal.notebook.form))
    if finding.finding is Finding.CHANGED:
        run = found_in(files, name, content)
        if isinstance(run, Run) and run.held:
            return None
        return FileFinding(name, finding.finding, (*finding.what, *its.overwritten))
    others = of_run.get(its.run.run_id, []) if its.run is not None else []
    if its.run is not None and len(others) > 1 and (again := resealed(its.run, others, content, keys)):
        return FileFinding(name, Finding.RESEALED, (*again, *its.overwritten))
    if trouble is not None and trouble.unknown_key:
        why_not = (*(f"its seal: {why}" for why in trouble.why), *its.overwritten)
        return FileFinding(name, Finding.KEY_UNKNOWN, why_not)
    if its.overwritten:
        return FileFinding(name, Finding.OVERWRITTEN, its.overwritten)
    return finding


def _unsealed(
    files: RunFiles, name: str, content: bytes | OSError | ValueError, by_run: Mapping[str | None, str]
) -> FileFinding | None:
    if name != shown_name(name):
        why = "its name is not UTF-8, so no seal can name it"
        return FileFinding(shown_name(name), Finding.UNSEALED, (why,))
    if _is_out_of_reach(content):
        return _unreadable(name, os_reason(content))
    if not isinstance(content, bytes):
        return FileFinding(name, Finding.UNSEALED, (f"it cannot be read: {content}",))
    found = found_in(files, name, content)
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


def _against(ends: Mapping[str, _End], heads: Heads, unlisted: tuple[str, ...]) -> Iterator[str]:
    """What the chains lack compared with an exported head, as far as their folders can be listed."""
    for prefix, head in ({"": heads.own} | heads.below).items():
        if prefix.startswith(unlisted):
            continue
        wrong = head and _cut(ends.get(prefix, _NO_CHAIN), head)
        if head is None or not wrong:
            continue
        there = [other for other, end in ends.items() if other != prefix and not _cut(end, head)]
        moved = f"; that chain is in {there[0] or 'the folder itself'!r} now" if there else ""
        yield f"{prefix}{FILE_NAME}: {wrong}{moved}" if prefix else f"{wrong}{moved}"


def _cut(end: _End, head: Head) -> str | None:
    sha256s = end.sha256s
    if not sha256s:
        return f"the head says {head.n} seals, and there are none: {FILE_NAME} was removed or replaced"
    if end.head is not None and end.head.project != head.project:
        return (
            "the head is of another chain than this one: it is another folder's, or all seals were made again"
        )
    if len(sha256s) < head.n:
        return f"the head says {head.n} seals, and {len(sha256s)} are left: the newest were cut off"
    if sha256s[head.n - 1] != head.sha256:
        return f"seal {head.n} is not the one that the head names: the chain was made again or rolled back"
    return None


def _uses(signers: Sequence[str], keys: Mapping[str, KeyFile], ring: KeyRing) -> tuple[KeyUse, ...]:
    places: dict[str, list[int]] = {}
    for at, key in enumerate(signers, start=1):
        if key:
            places.setdefault(key, []).append(at)
    uses = []
    for key, used in places.items():
        known = keys.get(key)
        trouble = ring.trouble(key) if known else "not known here"
        if trouble:
            status = trouble
        elif known is not None and known.retired_at:
            status = f"retired {to_rfc3339(known.retired_at)}"
        else:
            status = "in use"
        uses.append(KeyUse(key, status, used[0], used[-1], len(used), not trouble))
    return tuple(uses)


def _of(link: Link) -> str:
    return f" ({link.seal.path})" if link.seal else ""
