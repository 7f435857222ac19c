"""What the audit commands print: headers, full reasons, and a message when nothing matches."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ecr_widgets.audit.judging import judge
from ecr_widgets.cli.audit import command
from tests.audit.runs import recorded, save
from tests.on_a_terminal import on_a_terminal
from tests.reading import read_file

DIGEST = "sha256:d95bcb14f5e244ed336e1c9052a8abf7b378aee8f382222ccbc225b998d2f273"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for kind in ("deployed", "failed"):
        save(tmp_path / "runs", kind)
    return tmp_path / "runs"


def audit(runs: Path, *words: str) -> Result:
    return CliRunner().invoke(command, [*words, "--runs", str(runs)])


def test_a_list_says_what_its_columns_are(runs: Path) -> None:
    """A list has a header, then a line per notebook."""
    lines = audit(runs, "list").stdout.splitlines()
    assert lines[0].split() == [
        "VERDICT", "STARTED", "TOOK", "RUNBOOK", "SERVICE", "OUTCOME", "WHAT", "WHO", "WHY", "NOTEBOOK",
    ]  # fmt: skip
    assert len(lines) == 3


def test_a_terminal_says_what_became_of_a_run_of_what_and_who_made_it(runs: Path) -> None:
    """On a terminal, a list shows each run's outcome and the end of its id within the width; `--wide` shows all columns."""
    words = f"from ecr_widgets.cli import main; main(['audit', 'list', '--runs', {str(runs)!r}])"
    shown = on_a_terminal(["-c", words], columns=120, stdout=True)
    assert shown.exit_code == 0
    deployed, failed = sorted(shown.screen[1:])
    failed_id, deployed_id = (
        recorded(kind)["metadata"]["ecr_widgets"]["run_id"] for kind in ("failed", "deployed")
    )
    assert "left down" in failed
    assert failed_id[-6:] in failed
    assert "✓" in deployed
    assert deployed_id[-6:] in deployed
    assert max(map(len, shown.screen)) <= 120
    whole = on_a_terminal(["-c", words.replace("'list'", "'list', '--wide'")], columns=2000, stdout=True)
    assert whole.screen == audit(runs, "list").stdout.splitlines()


def test_figures_are_plain_numbers(runs: Path) -> None:
    """Figures are a line per service below a header, with rounded numbers."""
    header, line = audit(runs, "figures").stdout.splitlines()
    assert header.split() == [
        "SERVICE",
        "DEPLOYS",
        "A",
        "DAY",
        "FAILED",
        "RESTORED",
        "IN",
        "LEAD",
        "TIME",
        "DOWN",
        "SINCE",
    ]
    assert re.search(r" 2 +2\.00 +1 \(50%\) ", line)


def test_a_run_is_shown_with_durations_and_without_what_is_empty(runs: Path) -> None:
    """`audit show` prints how long each step took and leaves out empty values."""
    shown = audit(runs, "show", "failed.ipynb").stdout
    assert re.search(r"^  . \w+ \w+ in \d+\.\d s", shown, re.MULTILINE)
    assert not re.search(r": (null|\[\]|\{\}|\"\")?$", shown, re.MULTILINE)


def test_a_list_of_nothing_says_so(runs: Path, tmp_path: Path) -> None:
    """An empty list says why on stderr and leaves stdout empty."""
    (tmp_path / "none").mkdir()
    for done, why in (
        (audit(runs, "list", "--service", "other"), "no run matches"),
        (audit(runs, "figures", "--service", "other"), "no run that matches has deployed anything"),
        (audit(tmp_path / "none", "list"), "no notebook in"),
        (audit(tmp_path / "none", "seal"), "nothing to seal"),
    ):
        assert (done.exit_code, done.stdout) == (0, "")
        assert done.stderr.startswith(why)


@pytest.mark.parametrize(
    "words", [("--state", "bogus"), ("--digest", "latest"), ("--digest", "app@sha512:1")]
)
def test_a_filter_that_can_match_nothing_is_refused(runs: Path, words: tuple[str, str]) -> None:
    """A filter that can match nothing is refused with exit code 2."""
    assert audit(runs, "list", *words).exit_code == 2


@pytest.mark.parametrize("digest", [DIGEST, DIGEST.upper(), f"r.example:5000/app:1@{DIGEST}", "d95b"])
def test_a_digest_is_taken_as_it_is_pasted(runs: Path, digest: str) -> None:
    """A digest is accepted with its repository, with its algorithm, or as the first digits."""
    assert "deployed.ipynb" in audit(runs, "list", "--digest", digest).stdout


def test_a_run_is_found_by_its_path_from_anywhere(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is found by its absolute path, its path from the current folder, or its name."""
    monkeypatch.chdir(runs.parent)
    for path in (str(runs / "failed.ipynb"), "runs/failed.ipynb", "failed.ipynb"):
        assert audit(Path("runs"), "show", path).stdout.startswith("failed: failed.ipynb")
    assert audit(Path("runs"), "show", "/etc/passwd").exit_code == 1


def test_a_reason_with_a_semicolon_stays_one(runs: Path) -> None:
    """A reason that contains a semicolon is shown as one line."""
    because = [line for line in audit(runs, "show", "failed.ipynb").stdout.splitlines() if "because" in line]
    assert len(because) == 1
    assert "; " in because[0]


def test_a_reason_without_end_is_cut_in_lists_and_kept_in_full(runs: Path) -> None:
    """A very long reason is cut in lists and complete in `audit show`."""
    notebook = recorded("failed")
    notebook["metadata"]["ecr_widgets"]["reason"] = "x" * 1_000_000
    path = save(runs, "failed", notebook=notebook)
    assert len(judge(read_file(path)).why) < 1_000
    assert max(map(len, audit(runs, "list").stdout.splitlines())) < 1_000
    assert "x" * 1_000_000 in audit(runs, "show", "failed.ipynb").stdout


@pytest.mark.parametrize("approval", [None, "alice", ["alice"]], ids=["none", "a text", "a list"])
def test_a_run_without_an_approval_that_can_be_read_is_shown_without(
    tmp_path: Path, approval: object
) -> None:
    """A run whose approval is malformed is shown without it."""
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"]["approval"] = approval
    save(tmp_path / "runs", "deployed", "a.ipynb", notebook)
    done = audit(tmp_path / "runs", "show", "a.ipynb")
    assert (done.exit_code, "alice" in done.stdout) == (0, False)


def test_who_approved_a_run_is_shown(tmp_path: Path) -> None:
    """`audit show` says who requested and who approved a run."""
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"]["approval"] = {"requested_by": "alice", "approved_by": "bob"}
    save(tmp_path / "runs", "deployed", "a.ipynb", notebook)
    shown = audit(tmp_path / "runs", "show", "a.ipynb").stdout
    assert "  requested by: alice\n  approved by: bob\n" in shown
