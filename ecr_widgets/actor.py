"""Who runs this process, according to the kernel: anybody can set an environment variable."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SELF = Path("/proc/self")
_NOBODY_LOGGED_IN = 2**32 - 1
_CALLERS = ("SUDO_UID", "PKEXEC_UID")


@dataclass(frozen=True, slots=True)
class Person:
    """The person behind a process."""

    uids: frozenset[int]
    """The process's accounts: real, effective and saved. Empty if the kernel does not say."""

    login_uid: int | None
    """Who logged in: stays the same through sudo, su and setuid programs. None if there was no login."""

    why_unknown: str = ""
    """Why the person is not known; empty if they are."""

    @property
    def ids(self) -> frozenset[int]:
        """All accounts that this person may have."""
        return self.uids if self.login_uid is None else self.uids | {self.login_uid}

    def may_be(self, other: Person) -> bool:
        """Whether the two may be the same person.

        Two logins are two people, even behind one account such as root by sudo. Without both logins, one common account
        makes them the same person.
        """
        if self.login_uid is not None and other.login_uid is not None:
            return self.login_uid in other.ids
        return bool(self.ids & other.ids)

    def to_json(self) -> dict[str, object]:
        """The form in which a plan keeps it."""
        return {"uids": sorted(self.uids), "login_uid": self.login_uid}


def person(environ: Mapping[str, str] = os.environ, *, about: Path = _SELF) -> Person:
    """Who runs this process.

    In a user namespace, which every user can make, people choose their own ids: there nobody is known.

    Args:
        environ: If the kernel knows no login, the caller that sudo or pkexec names is added as a possible account.

        about: The kernel's folder about a process.
    """
    if sys.platform != "linux":
        return Person(frozenset({os.getuid(), os.geteuid()}) | _callers(environ), None)
    try:
        # Not by getuid(): a preloaded library can fake the answer.
        status = (about / "status").read_text(encoding="utf-8", errors="replace")
        mapped = (about / "uid_map").read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        return Person(frozenset(), None, f"{str(about)!r} cannot be read: {error}")
    if mapped != ["0", "0", "4294967295"]:
        return Person(frozenset(), None, "this is a user namespace, such as a rootless container")
    uids = next(line.split()[1:4] for line in status.splitlines() if line.startswith("Uid:"))
    login = _login_uid(about)
    own = frozenset(map(int, uids))
    return Person(own if login is not None else own | _callers(environ), login)


def actor() -> str:
    """Name for the record: who logged in, and the current account if it is another one, such as `alice (as root)`."""
    who = person()
    at_work = _name(os.getuid())
    if who.why_unknown:
        return f"{at_work} (unverified)"
    login = at_work if who.login_uid is None else _name(who.login_uid)
    return login if login == at_work else f"{login} (as {at_work})"


def _login_uid(about: Path) -> int | None:
    try:
        user_id = int((about / "loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None  # a kernel without audit support
    return None if user_id == _NOBODY_LOGGED_IN else user_id


def _callers(environ: Mapping[str, str]) -> frozenset[int]:
    """Accounts that sudo or pkexec names. Faking them gains nothing: more accounts only make more people count as the same."""
    return frozenset(int(environ[name]) for name in _CALLERS if environ.get(name, "").isdecimal())


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
