"""What `--json` prints of an outcome."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from ecr_widgets.cli import main
from ecr_widgets.cli.printing import GivenPath, plain
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.copy_image import CopyOutcome
from ecr_widgets.steps.login import LoginOutcome
from ecr_widgets.steps.push_image import PushOutcome
from tests.fakes import REGISTRY, digest_of
from tests.ours import call

IMAGE = ImageReference.parse(f"{REGISTRY}/app:1@{digest_of('a')}")


def test_an_image_is_one_text_whatever_command_prints_it() -> None:
    """An image is a single string in the outcomes of both push and copy."""
    pushed = PushOutcome(IMAGE, digest_of("a"), "1", changed=True)
    copied = CopyOutcome(IMAGE, digest_of("a"), "1", changed=True, source=IMAGE)
    assert plain(pushed)["image"] == plain(copied)["image"] == plain(copied)["source"] == str(IMAGE)


def test_times_end_in_z_and_lists_stay_lists() -> None:
    """Times are strings in UTC that end in Z, and a list is printed as a list."""
    login = LoginOutcome("r", "AWS", None, None, datetime(2026, 11, 26, tzinfo=UTC))
    assert plain([login])[0]["expires_at"] == "2026-11-26T00:00:00.000Z"


def _parameters(command: click.Command) -> Iterator[click.Parameter]:
    yield from command.params
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            yield from _parameters(found)


def test_every_option_that_names_a_file_reads_it_as_a_person_gives_it() -> None:
    """All options and arguments of all commands that name a file or folder know `~`."""
    named = [each.type for each in _parameters(main) if isinstance(each.type, click.Path)]
    assert len(named) > 10
    assert {type(each) for each in named if not isinstance(each, GivenPath)} == set()


def test_a_home_folder_that_no_shell_has_replaced_is_the_users_own(tmp_path: Path) -> None:
    """`~` as an option, an argument, a runbook or a variable is the user's home; no folder named `~` is made."""
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home / "runs", here):
        folder.mkdir(parents=True)
    environ = {"HOME": str(home), "ECR_WIDGETS_RUNS": "~/runs"}
    for words in (
        ("runbooks", "copy", "~/books"),
        ("runbooks", "check", "~/books/login.ipynb"),
        ("run", "~/books/login.ipynb", "--help"),
        ("audit", "list"),
        ("audit", "list", "--runs=~/runs"),
    ):
        done = call(*words, environ=environ, cwd=here)
        assert done.returncode == 0, done.stderr
    assert (home / "books" / "login.ipynb").is_file()
    assert list(here.iterdir()) == []
