"""Who runs this, from the kernel alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ecr_widgets.actor import Person, actor, person

ALL = "         0          0 4294967295\n"
NOBODY = "4294967295"


def _kernel(
    folder: Path, *, uids: str = "1000\t1000\t1000\t1000", uid_map: str = ALL, login: str = NOBODY
) -> Path:
    """The files in which the kernel describes a process."""
    (folder / "status").write_text(f"Name:\tpython\nUid:\t{uids}\nGid:\t100\t100\t100\t100\n")
    (folder / "uid_map").write_text(uid_map)
    (folder / "loginuid").write_text(login)
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
@pytest.mark.parametrize("name", ["SUDO_USER", "USER", "LOGNAME", "SUDO_UID"])
def test_no_variable_makes_another_person_of_one(name: str, tmp_path: Path) -> None:
    """An environment variable cannot make alice anyone else; it can only add to who she may be."""
    alice = person({}, about=_kernel(tmp_path))
    assert person({name: "1001"}, about=tmp_path).may_be(alice)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
@pytest.mark.parametrize(
    "uid_map",
    [
        "         0       1000          1\n",
        "      1001       1000          1\n",
        "         0     100000      65536\n",
        "         0          0      65536\n",
        ALL + ALL,
        "",
    ],
)
def test_a_user_namespace_has_nobody(uid_map: str, tmp_path: Path) -> None:
    """In a user namespace that maps less than the whole machine, the person is unknown."""
    who = person({}, about=_kernel(tmp_path, uid_map=uid_map, login="1000"))
    assert (who.ids, who.why_unknown != "") == (frozenset(), True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
@pytest.mark.parametrize("lacking", ["status", "uid_map"])
def test_without_the_kernels_word_nobody_is_known(lacking: str, tmp_path: Path) -> None:
    """Without the kernel's files, as in a container without /proc, the person is unknown."""
    (_kernel(tmp_path) / lacking).unlink()
    assert person({}, about=tmp_path).why_unknown


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of a process")
def test_the_login_and_every_account_at_work_count(tmp_path: Path) -> None:
    """A person's ids are the real, effective and saved uid and the login's."""
    who = person({}, about=_kernel(tmp_path, uids="1000\t0\t5\t0", login="1001"))
    assert (who.uids, who.login_uid, who.ids) == ({0, 5, 1000}, 1001, {0, 5, 1000, 1001})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(({1000}, 1000), ({1000}, 1000), True, id="plainly"),
        pytest.param(({1000}, 1000), ({1001}, 1001), False, id="two logins"),
        pytest.param(({1000}, None), ({1001}, None), False, id="two accounts without logins"),
        pytest.param(({1000}, 1000), ({0}, 1000), True, id="sudo"),
        pytest.param(({0}, 1000), ({1000}, 1000), True, id="sudo for the plan only"),
        pytest.param(({0}, 1000), ({0}, 1001), False, id="both by sudo"),
        pytest.param(({1001}, 1000), ({1001}, 1001), True, id="su to the other, for the plan"),
        pytest.param(({1000}, 1000), ({1001}, 1000), True, id="su to the other, for the approval"),
        pytest.param(({0}, None), ({0}, None), True, id="both are root and nobody logged in"),
        pytest.param(({0}, None), ({0}, 1001), True, id="root's schedule, and somebody by sudo"),
        pytest.param(({0}, None), ({1001}, 1001), False, id="root's schedule, and somebody plainly"),
        pytest.param(({900}, None), ({900}, 1001), True, id="a shared account, one without login"),
        pytest.param(({900}, 1000), ({900}, 1001), False, id="a shared account, two logins"),
    ],
)
def test_one_person_stays_one(
    one: tuple[set[int], int | None], other: tuple[set[int], int | None], *, same: bool
) -> None:
    """A person stays the same through sudo, su and shared accounts, and two logins of one account are two people."""
    requester, approver = (Person(frozenset(uids), login) for uids, login in (one, other))
    assert approver.may_be(requester) is same


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("unshare") is None, reason="needs Linux's unshare"
)
def test_a_real_namespace_is_seen() -> None:
    """Root inside a real user namespace is recorded as unverified."""
    told = subprocess.run(
        ["unshare", "-Ur", sys.executable, "-c",
         "from ecr_widgets.actor import *; print(actor(), bool(person({}).why_unknown), sep='|')"],
        env={**os.environ, "SUDO_USER": "bob", "SUDO_UID": "1001"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if told.returncode:
        pytest.skip(f"no user namespaces here: {told.stderr.strip()}")
    assert told.stdout == "root (unverified)|True\n"


def test_the_record_names_no_variables_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorded actor contains nothing from SUDO_USER, USER or LOGNAME."""
    for name in ("SUDO_USER", "USER", "LOGNAME"):
        monkeypatch.setenv(name, "mallory")
    assert "mallory" not in actor()
