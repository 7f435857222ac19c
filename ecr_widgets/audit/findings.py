"""What `audit verify` finds: about each file, about the chain of seals, and about the keys."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ecr_widgets.audit.canonical import Form, differences, form_of
from ecr_widgets.audit.chain_head import Heads
from ecr_widgets.audit.reading import read_content
from ecr_widgets.audit.run import NoRun
from ecr_widgets.errors import RecordError


class Finding(StrEnum):
    """What verify says about one file; the value is its spelling everywhere."""

    INTACT = "intact"
    RESAVED = "resaved"
    """Different bytes with the same content: no alarm."""
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    """This user cannot read it, so nothing says whether it was changed."""
    MISSING = "missing"
    UNSEALED = "unsealed"
    BROKEN_SEAL = "broken seal"
    KEY_UNKNOWN = "key unknown"
    """It matches its seal, but the seal's key is not known here."""
    RETIRED = "retired"
    """It is gone, and a seal says that this was intended."""
    RESEALED = "resealed"
    """It matches its newest seal, but an earlier seal of the run says something else that no attempt explains."""
    OVERWRITTEN = "overwritten"
    """It is the run last sealed under this name; an earlier one is gone."""


@dataclass(frozen=True, slots=True)
class FileFinding:
    """One file and the finding on it."""

    path: str
    finding: Finding
    what: tuple[str, ...] = ()
    killed: bool = False
    """Whether it is a run that was killed before it could be sealed, which does not mean that its file was changed."""

    @property
    def is_alarm(self) -> bool:
        """Whether someone has to look at it."""
        return self.finding not in _GOOD and not self.killed


_GOOD = (Finding.INTACT, Finding.RESAVED, Finding.RETIRED)
_RESTORE = "restore the file from a backup or the bucket's versions"
_NEXT = {
    Finding.CHANGED: f"{_RESTORE}; as it is, it proves nothing",
    Finding.UNREADABLE: "have its owner give you access, and verify again",
    Finding.MISSING: f"{_RESTORE}; if it was removed on purpose, `ecr-widgets audit retire NOTEBOOK`",
    Finding.UNSEALED: (
        "restore lost seals from a backup; move a renamed file back, and a copy away; if you trust a run as it is,"
        " `ecr-widgets audit seal`"
    ),
    Finding.BROKEN_SEAL: "restore the seals from a backup or the bucket's versions; do not count on this run until then",
    Finding.KEY_UNKNOWN: (
        "get the public key from the person who ran it (`ecr-widgets audit key export`), and its fingerprint another way, then"
        " `ecr-widgets audit key trust FILE --fingerprint F`"
    ),
    Finding.RESEALED: "ask those who hold its keys which version is right, and keep a backup of both",
    Finding.OVERWRITTEN: (
        "restore the earlier run to another folder if you need it; if it was on purpose, `ecr-widgets audit retire NOTEBOOK`"
    ),
}
_NEXT_OF_CHAIN = (
    "restore the seals from a backup or the bucket's versions; seals that were edited or merged stay broken"
)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """Which seals one key made."""

    key: str
    status: str
    first: int
    last: int
    seals: int
    ok: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """Everything that verify found."""

    files: tuple[FileFinding, ...]
    chain: tuple[str, ...]
    """What is wrong with the chain itself, or where it contradicts an exported head."""
    keys: tuple[KeyUse, ...]
    heads: Heads
    """Where the chains end."""

    @property
    def ok(self) -> bool:
        """Whether every finished run is sealed and unchanged, or was retired, and all keys are in order.

        Runs that were killed before they could be sealed are listed, but do not count against it.
        """
        return not self.chain and not any(f.is_alarm for f in self.files) and all(k.ok for k in self.keys)

    @property
    def words(self) -> str:
        """The result for people: `in order; 1 run was killed before it could be sealed`."""
        order = "in order" if self.ok else "NOT in order"
        killed = sum(f.killed for f in self.files)
        if not killed:
            return order
        who = "1 run was killed before it" if killed == 1 else f"{killed} runs were killed before they"
        return f"{order}; {who} could be sealed"

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to do about each kind of alarm, for people."""
        found = {f.finding for f in self.files if f.is_alarm}
        steps = [f"{each.value}: {_NEXT[each]}" for each in Finding if each in found]
        # With an unknown key, nothing is known about the chain yet either.
        is_chain_due = self.chain and all(k.ok for k in self.keys)
        return (*steps, f"chain: {_NEXT_OF_CHAIN}") if is_chain_due else tuple(steps)

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
            "keys": [asdict(k) for k in self.keys],
            "head": self.heads.to_json() if self.heads != Heads(None) else None,
        }


def check_content(content: bytes, file_sha256: str, form: Form) -> tuple[Finding, tuple[str, ...]]:
    """Check a file's bytes against the hash and the form that were sealed."""
    if hashlib.sha256(content).hexdigest() == file_sha256:
        return Finding.INTACT, ()
    try:
        changed = differences(form, form_of(content))
        if changed and not differences(form, form_of(content, first_release=True)):
            changed = ()
        why_no_form = ""
    except RecordError as error:
        changed, why_no_form = (), str(error)
    # The reader says it as lists do. And JSON can write a number in several ways, of which it accepts only some.
    if not changed and isinstance(found := read_content(content, ""), NoRun):
        changed = (f"it is {found.kind} now: {found.why}",)
    elif why_no_form:
        changed = (why_no_form,)
    if changed:
        return Finding.CHANGED, changed
    return Finding.RESAVED, ("saved again: other bytes, the same content",)
