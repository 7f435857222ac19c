"""Rows 82 to 84: who approves, who holds a lock, and who is served by the sandbox, against what strangers can try."""

from __future__ import annotations

import io
import os
import random
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecr_widgets.actor import Person, person
from ecr_widgets.locks import open_shared
from tests.faults.plan import batch
from tests.unit.sandbox.test_door import ask, signed

_WHOLE = "0 0 4294967295"
_NO_LOGIN = 2**32 - 1
_ROOT = 0


def _session(chance: random.Random, own: int, folder: Path, *, audited: bool) -> tuple[Person, str]:
    """Whom we make of one user who works as somebody, by a way that the kernel or sudo leaves traces of, and SUDO_USER."""
    others = [uid for uid in range(1000, 1005) if uid != own]
    ways = {
        "plainly": (own, own),
        "by sudo": (_ROOT, _ROOT),
        "by sudo as another": (other := chance.choice(others),) * 2,
        "by a setuid program": (own, other),
    }
    if audited:
        ways["by su"] = (other, other)
    way = chance.choice(sorted(ways))
    real, effective = ways[way]
    (folder / "status").write_text(f"Name:\tx\nUid:\t{real}\t{effective}\t{effective}\t{effective}\n")
    (folder / "uid_map").write_text(chance.choice([_WHOLE] * 9 + [f"{other} {own} 1"]))
    (folder / "loginuid").write_text(str(own if audited else _NO_LOGIN))
    said = {name: str(chance.choice(others)) for name in ("SUDO_USER", "USER", "LOGNAME")}
    if way.startswith("by sudo"):
        said["SUDO_UID"] = str(own)
    return person(said, about=folder), said["SUDO_USER"]


@batch(
    82,
    "one person's plan and approval, by sudo, su, setuid programs, namespaces and variables",
    tries=5_000,
    quick=100,
)
def approvals(tries: int, seed: int) -> tuple[int, int, str]:
    """Never let a person pass for two; the control believes what variables say."""
    chance, passed, fooled = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as name:
        for _ in range(tries):
            own, audited = chance.randrange(1000, 1005), chance.random() < 0.5
            (requester, one), (approver, other) = (
                _session(chance, own, Path(name), audited=audited) for _ in range(2)
            )
            known = not requester.why_unknown and not approver.why_unknown
            passed += known and not approver.may_be(requester)
            fooled += one != other
    return passed, fooled, f"{tries} pairs of sessions"


def _opens(mode: int, write: int, read: int) -> bool:
    """Whether a class of users may open a file, for any of what a lock can be taken by."""
    return bool(mode & (write | read))


def _files(tries: int, seed: int, make: Callable[[Path, bool], int]) -> int:
    chance, wrong = random.Random(seed), 0
    classes = ((stat.S_IWGRP, stat.S_IRGRP), (stat.S_IWOTH, stat.S_IROTH))
    for _ in range(tries):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(
                0o700
                | chance.choice((0, 0o20, 0o70))
                | chance.choice((0, 0o2, 0o7))
                | chance.choice((0, 0o2000))
            )
            before = os.umask(chance.choice((0o002, 0o022, 0o027, 0o077)))
            try:
                for is_lock in (False, True):
                    os.close(make(folder / str(is_lock), is_lock))
            finally:
                os.umask(before)
            rights = folder.stat().st_mode
            for write, read in classes:
                shares = bool(rights & write)
                lock, chain = ((folder / each).stat().st_mode for each in ("True", "False"))
                wrong += _opens(lock, write, read) is not shares or (shares and not chain & write)
            folder.chmod(0o700)
    return wrong


@batch(83, "locks and seals in folders of any rights, made under any umask", tries=2_000, quick=200)
def shared(tries: int, seed: int) -> tuple[int, int, str]:
    """Locks open to those who may write to the folder and to nobody else; the control makes files as before, 0644."""

    def plainly(path: Path, _: bool) -> int:  # noqa: FBT001
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    ours = _files(tries, seed, lambda path, is_lock: open_shared(path, is_lock=is_lock))
    return ours, _files(min(tries, 50), seed, plainly), f"{tries} folders"


def _spoilt(chance: random.Random) -> dict[str, Any]:
    """A request that was signed with the sandbox's key, and altered on its way in one place or more."""
    request = signed()
    authorization = str(request["HTTP_AUTHORIZATION"])
    changes: list[Callable[[], dict[str, Any]]] = [
        lambda: {"HTTP_ORIGIN": chance.choice(["null", "", "http://evil.example.com"])},
        lambda: {"HTTP_HOST": chance.choice(["evil.example.com", "localhost:4566", "", "127.0.0.1:4567"])},
        lambda: {"PATH_INFO": chance.choice(["/moto-api/reset", "/v1/submitjob", "//", "/x"])},
        lambda: {"QUERY_STRING": chance.choice(["Action=AssumeRole", "x=1"])},
        lambda: {"HTTP_X_AMZ_TARGET": f"Any_V1.Do{chance.randrange(9)}"},
        lambda: {"wsgi.input": io.BytesIO(chance.randbytes(9))},
        lambda: {"HTTP_X_AMZ_DATE": f"20{chance.randrange(10, 99)}0101T000000Z"},
        lambda: {"HTTP_AUTHORIZATION": _flipped(chance, authorization)},
        lambda: {"HTTP_AUTHORIZATION": chance.choice(["", "Basic QVdTOng=", "AWS4-HMAC-SHA256"])},
    ]
    for change in chance.sample(changes, chance.choice((1, 1, 2))):
        request |= change()
    return request


def _flipped(chance: random.Random, text: str) -> str:
    at = chance.randrange(len("AWS4-HMAC-SHA256 "), len(text))
    other = chance.choice([sign for sign in "0123456789abcdefXYZ/=;" if sign != text[at]])
    return text[:at] + other + text[at + 1 :]


@batch(
    84,
    "requests to the sandbox's AWS port that its key did not sign, or that were changed after",
    tries=20_000,
    quick=200,
)
def served(tries: int, seed: int) -> tuple[int, int, str]:
    """None is served; the control is the request as it was signed, which is."""
    chance = random.Random(seed)
    through = sum("served" in ask(_spoilt(chance))[1] for _ in range(tries))
    return through, "served" in ask(signed())[1], f"{tries} requests"
