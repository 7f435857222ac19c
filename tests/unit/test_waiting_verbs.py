"""Every command that holds a target can wait for it, by the option that the busy message names."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ecr_widgets.adapters.locks import FileLocks, Holder
from ecr_widgets.cli import main
from ecr_widgets.cli.waiting import LONG
from ecr_widgets.errors import TargetBusy
from tests.fakes import FakeClock, World


class Connected(BaseException):
    """Raised instead of connecting, with the time in seconds that the command would wait; no command reports it."""


@pytest.mark.parametrize(
    "words",
    [
        "push app:1 app 1 --wait 7",
        "copy app:1 other:1 --wait 7",
        "deploy demo web app:1 file.json --wait 7",
        "rollback demo web --wait 7",
        "service delete demo web --wait 7",
        "service deploy demo web web:1 --no-wait",
        "service scale demo web 2 --no-wait",
    ],
)
def test_a_verb_waits_for_a_busy_target_as_long_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """A command's waiting time reaches the locks; if its `--wait` means something else, the longer option does it."""

    def connect(*, wait_s: float) -> None:
        raise Connected(wait_s)

    monkeypatch.setattr("ecr_widgets.connections.connect", connect)
    monkeypatch.setattr("ecr_widgets.cli.service.services_of", lambda _: None)
    monkeypatch.setattr("ecr_widgets.cli.service.find_deploy", lambda _, deploy: deploy)
    long = [] if words.endswith(" 7") else [LONG, "7"]
    with pytest.raises(Connected) as caught:
        CliRunner().invoke(main, [*words.split(), *long])
    assert caught.value.args == (7.0,)


def test_the_busy_message_names_an_option_that_every_such_verb_has(tmp_path: Path) -> None:
    """The option that the busy message suggests exists for each command that can be busy."""
    clock = FakeClock(World())
    one, other = (FileLocks(tmp_path / "locks", Holder(name, "host", 1), clock) for name in ("one", "other"))
    with one.hold("target"), pytest.raises(TargetBusy) as busy, other.hold("target"):
        pytest.fail("both hold it")
    assert f"{LONG} SECONDS" in (busy.value.hint or "")
    context = click.Context(main)
    for words in (
        "run",
        "push",
        "copy",
        "deploy",
        "rollback",
        "service deploy",
        "service scale",
        "service delete",
    ):
        command: click.Command | None = main
        for word in words.split():
            assert isinstance(command, click.Group)
            command = command.get_command(context, word)
        assert command is not None
        assert any(LONG in option.opts for option in command.params), words
