"""What is said of paths that nobody can see."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.paths import exists, is_file, is_folder, path_of, why_unseen


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none", "No such file"),
        ("file/in", "Not a directory"),
        ("x" * 5_000, "too long"),
        ("a\0b", "null"),
        ("loop", "links"),
    ],
)
def test_what_cannot_be_seen_is_nothing_with_a_reason(path: str, why: str, tmp_path: Path) -> None:
    """No path is an error: what cannot be seen there is no file and no folder, and the system says why."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    asked = tmp_path / path
    assert (exists(asked), is_file(asked), is_folder(asked)) == (False, False, False)
    assert why in why_unseen(asked)


def test_what_can_be_seen_is_told_apart(tmp_path: Path) -> None:
    """A file is no folder and a folder no file, and neither needs a reason."""
    (tmp_path / "file").touch()
    assert (is_file(tmp_path / "file"), is_folder(tmp_path / "file")) == (True, False)
    assert (is_file(tmp_path), is_folder(tmp_path)) == (False, True)
    assert why_unseen(tmp_path / "file") == why_unseen(tmp_path) == ""


@pytest.mark.parametrize(
    ("given", "read"),
    [("~", ""), ("~/x/y", "x/y"), (Path("~/x"), "x"), ("~root/x", None), ("a/~/b", None), ("./~x", None)],
)
def test_a_home_folder_is_read_as_a_shell_reads_it(
    given: str | Path, read: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is this user's home and `~root` root's, but only in front; `./~x` is a file of that name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    own = {"~root/x": Path("/root/x"), "a/~/b": Path("a/~/b"), "./~x": Path("~x")}
    assert path_of(given) == (own[str(given)] if read is None else tmp_path / read)


def test_a_home_folder_that_is_not_known_is_refused() -> None:
    """A `~name` of no user is refused in words, and makes no folder of that name."""
    with pytest.raises(SettingsError, match="home folder of ~no-such-user is not known"):
        path_of("~no-such-user/runs")
