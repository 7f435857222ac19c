"""Every shipped runbook on real parts, on each kind of target: it does what it says, and a second run changes nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.model.record import KNOWN_REQUESTS, START_ID, StepState
from ecr_widgets.runbooks import find_runbook, list_runbooks
from ecr_widgets.sandbox import Sandbox
from tests import ours
from tests.faults import forked
from tests.sandbox.cells import run_cells
from tests.sandbox.conftest import BIN, SHIPPED, Cells, facts, journal, records, succeeded

COMMON = {
    "repository": "books/app",
    "to_repository": "books/live",
    "deploy": "books",
    "service": "books",
    "local_name": "books/app",
    "targets": """[{"repository": "books/app", "environment": "demo", "service": "books"}]""",
}
IN_ORDER = (
    "login", "create_repository", "push", "pull", "deploy", "check_health", "fleet", "scale", "task", "rollback", "release",
    "inspect", "rotate", "promote", "adopt", "clean_up", "audit",
)  # fmt: skip
BY_PAPERMILL = ("deploy", "fleet", "audit")
"""Runbooks that are run by stock papermill too: one like all others, and those whose steps ask what their run is.

`test_recorded.py` runs all others in kernels, but for `adopt`, which `test_adopt.py` runs by our command.
"""
ECS = "ecs:demo"
WITH_ENVIRONMENT = {
    book.name for book in list_runbooks() if "environment" in [each.name for each in book.parameters]
}
ONLY_LAYER0 = {"adopt"}
"""What it adopts is Layer0's."""
BY_TARGET = [
    *((name, "demo") for name in IN_ORDER),
    *((name, ECS) for name in IN_ORDER if name in WITH_ENVIRONMENT - ONLY_LAYER0),
]
"""Each on Layer0, then those that name an environment on a cluster of ECS: the images are there already."""
ASKS = {
    "create_repository": "ecr CreateRepository",
    "push_image": "registry PUT manifest",
    "copy_image": "registry PUT manifest",
    "create_deploy": "layer0 POST /deploy",
    "create_service": "layer0 POST /service/",
    "update_service": "layer0 PUT /service/ID/deploy",
    "rollback": "layer0 PUT /service/ID/deploy",
    "scale_service": "layer0 PUT /service/ID/scale",
    "create_task": "layer0 POST /task/",
    "set_lifecycle_policy": "ecr PutLifecyclePolicy",
    "delete_images": "ecr BatchDeleteImage",
}
"""What each step asks of the stand-ins where it says that it changed something; the engine has no journal."""
ASKS_ECS = ASKS | {
    "create_deploy": "ecs RegisterTaskDefinition",
    "create_service": "ecs CreateService",
    "update_service": "ecs UpdateService",
    "rollback": "ecs UpdateService",
    "scale_service": "ecs UpdateService",
    "create_task": "ecs RunTask",
}
NEVER_TWICE = {"task", "fleet"}
"""Runbooks that do their work anew in each run, and say so."""


def declared(name: str, given: dict[str, str]) -> dict[str, str]:
    """Those of the common and the given parameters that a runbook declares."""
    names = {parameter.name for parameter in find_runbook(name).parameters}
    return {name: value for name, value in (COMMON | given).items() if name in names}


def run_book(
    name: str, environ: dict[str, str], folder: Path, options: Sequence[str] = (), **given: str
) -> dict[str, Any]:
    """Run one by the command, with those of the common parameters that it declares; it tells of the steps it has saved."""
    words = [word for pair in declared(name, given).items() for word in ("-p", *pair)]
    done = ours.call(
        *("run", name, "--json", "--runs", folder / "runs", *options, *words), environ=environ, cwd=folder
    )
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert records(told).keys() == {step["step"] for step in told["steps"]}
    return told


def asked(entries: Sequence[dict[str, Any]]) -> list[str]:
    """The journal's entries in the words of `ASKS`."""
    return [
        f"{entry['server']} "
        + (
            entry["operation"]
            if "operation" in entry
            else "PUT manifest"
            if "/manifests/" in entry["path"]
            else f"{entry['method']} " + re.sub(r"/service/[^/]+/", "/service/ID/", entry["path"])
        )
        for entry in entries
    ]


def run_by_papermill(
    name: str, environ: dict[str, str], folder: Path, *options: str
) -> list[tuple[Any, ...]]:
    """The same by stock papermill, with its own engine where the options name no other; what its records say."""
    words = [word for pair in declared(name, {}).items() for word in ("-r", *pair)]
    out = folder / "plain.ipynb"
    forked.run(
        [BIN / "papermill", find_runbook(name).path, out, "--no-progress-bar", *options, *words],
        env=environ,
        cwd=folder,
        capture_output=True,
        check=True,
    )
    return facts(json.loads(out.read_text()))


def without_own(told: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Facts without what is each run's own: outcomes, with their ids and log lines, and how they asked for a task."""
    own = (KNOWN_REQUESTS, START_ID)
    return [(*fact[:3], {name: value for name, value in fact[3].items() if name not in own}) for fact in told]


def other_dockerrun(folder: Path) -> str:
    """The example with other memory."""
    other = json.loads((SHIPPED / "wait" / "timeout.dockerrun.aws.json").read_text())
    other["containerDefinitions"][0]["memory"] = 12
    path = folder / "other.json"
    path.write_text(json.dumps(other))
    return str(path)


@pytest.mark.parametrize(("name", "environment"), BY_TARGET)
def test_a_runbook_does_its_work_once(
    name: str, environment: str, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """The first run's records say just what the sandbox's own journal says; the second run changes nothing in either."""

    here = {"environment": environment}

    def once(book: str = name, **given: str) -> list[tuple[str, bool]]:
        if book == "audit":
            # It audits saved runs, which cells do not make.
            told = run_book(book, sandbox_environ, tmp_path, **here)
            assert told["state"] == "succeeded", told["reason"]
            return [(step["step"], step["changed"]) for step in told["steps"]]
        ended = run_cells(book, sandbox_environ, tmp_path, **declared(book, here | given))
        return [(step, bool(each.changed)) for step, each in succeeded(ended).items()]

    if name == "rollback":
        # A second deploy, to roll back from.
        once("deploy", dockerrun=other_dockerrun(tmp_path))
    before = journal(sandbox)
    first = once()
    asks = ASKS_ECS if environment == ECS else ASKS
    said = [asks[step] for step, changed in first if changed and step in asks]
    assert asked(journal(sandbox)[len(before) :]) == said
    if name not in NEVER_TWICE:
        before = journal(sandbox)
        assert [step for step, changed in once() if changed] == []
        assert journal(sandbox) == before


@pytest.mark.parametrize("name", BY_PAPERMILL)
def test_papermill_leaves_the_records_of_our_command(
    name: str, sandbox: Sandbox, sandbox_environ: dict[str, str], tmp_path: Path
) -> None:
    """By its own engine and by ours; none of them changes anything."""
    if name == "deploy":
        succeeded(run_cells(name, sandbox_environ, tmp_path, **declared(name, {})))
    before = journal(sandbox)
    command = run_book(name, sandbox_environ, tmp_path)
    ours = facts(json.loads(Path(command["notebook"]).read_text()))
    plain = run_by_papermill(name, sandbox_environ, tmp_path)
    if name == "deploy":
        assert plain == ours
        assert run_by_papermill(name, sandbox_environ, tmp_path, "--engine", "ecr_widgets") == plain
    else:
        # Each time there is one more run to audit.
        assert without_own(plain) == without_own(ours)
    if name not in NEVER_TWICE:
        assert journal(sandbox) == before


def test_a_confirmed_clean_up_deletes_only_what_nothing_uses(
    cells: Cells, sandbox: Sandbox, tmp_path: Path
) -> None:
    """What the service runs stays, whatever its age; the rest is gone, and a second run changes nothing."""
    given = {"repository": "books/clean", "keep_newest": "0", "older_than_days": "0"}
    digests = {}
    for tag in ("old", "live"):
        (tmp_path / "Dockerfile").write_text(f"FROM busybox\nLABEL tag={tag}\nCMD sleep 600\n")
        push = {"repository": "books/clean", "tag": tag, "context": str(tmp_path), "dockerfile": "Dockerfile"}
        digests[tag] = succeeded(cells("push", **push))["push_image"].outcome["digest"]
    succeeded(cells("deploy", repository="books/clean", reference="live", deploy="timeout", service="clean"))
    listed = succeeded(cells("clean_up", **given))
    assert listed["delete_images"].outcome["proposed"] == [digests["old"]]
    assert listed["delete_images"].changed is False
    assert "service demo/clean" in listed["find_unused_images"].outcome["in_use"][digests["live"]]
    given["confirm"] = "books/clean"
    done = succeeded(cells("clean_up", **given))
    assert done["delete_images"].outcome["deleted"] == [digests["old"]]
    before = journal(sandbox)
    assert succeeded(cells("clean_up", **given))["delete_images"].changed is False
    assert journal(sandbox) == before


def test_an_audit_of_changed_evidence_fails(sandbox_environ: dict[str, str], tmp_path: Path) -> None:
    """A failed run is the alarm, and names the file."""
    done = run_book("login", sandbox_environ, tmp_path)
    Path(done["notebook"]).write_text(Path(done["notebook"]).read_text().replace("succeeded", "proceeded"))
    told = run_book("audit", sandbox_environ, tmp_path, service="")
    assert told["state"] == "failed"
    assert Path(done["notebook"]).name in told["reason"]


def test_a_new_runbook_runs_as_it_is(cells: Cells, sandbox_environ: dict[str, str], tmp_path: Path) -> None:
    """What `runbooks new` writes does something useful at once, and changes nothing."""
    given = {"repository": "books/new", "local_name": "books/new"}
    succeeded(cells("push", **given))
    for words in (("runbooks", "new", "mine"), ("run", "mine.ipynb", "-p", "repository", "books/new")):
        done = ours.call(*words, environ=sandbox_environ, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("succeeded: ")


def test_every_shipped_runbook_is_tried() -> None:
    """None is left out of the test above, but the ones that have their own."""
    assert {book.name for book in list_runbooks()} == {*IN_ORDER}


@pytest.mark.parametrize(
    ("name", "given", "step"),
    [
        ("create_repository", {"repository": "Bad//Name"}, "create_repository"),
        ("pull", {"reference": "nobody"}, "find_image"),
        ("deploy", {"reference": "nobody"}, "find_image"),
        ("deploy", {"environment": "nowhere"}, "check_target"),
        ("deploy", {"load_balancer": "nobody"}, "check_target"),
        ("task", {"task": "no/name"}, "check_target"),
        ("task", {"env_vars": '{"timeout": {"SLEEP_TIME": "not a time"}}'}, "create_task"),
        ("rollback", {"service": "nobody"}, "find_service"),
        ("scale", {"service": "nobody"}, "find_service"),
        ("check_health", {"service": "nobody"}, "find_service"),
        ("promote", {"reference": "nobody", "to_repository": "books/nobody"}, "find_image"),
        ("promote", {"to_repository": "books/nobody", "create_repository": "false"}, "create_repository"),
        ("inspect", {"reference": "nobody"}, "find_findings"),
        ("rotate", {"container": "nobody"}, "check_target"),
        ("clean_up", {"repository": "books/nobody"}, "find_unused_images"),
        ("clean_up", {"confirm": "books/ap"}, "delete_images"),
        ("create_repository", {"tags_immutable": "true"}, "check_repository"),
        ("create_repository", {"encryption": "KMS"}, "create_repository"),
        ("create_repository", {"encryption": "KMS", "kms_key": "no key"}, "create_repository"),
        ("rollback", {"deploy_id": "nobody.1"}, "rollback"),
        ("rollback", {"deploy_id": "nobody:1", "environment": ECS}, "rollback"),
        ("deploy", {"environment": "ecs:nowhere"}, "check_target"),
        ("deploy", {"environment": "ecs:"}, "check_target"),
        ("scale", {"service": "nobody", "environment": ECS}, "find_service"),
    ],
)
def test_bad_input_fails_in_its_step(
    sandbox: Sandbox,
    name: str,
    given: dict[str, str],
    step: str,
    sandbox_environ: dict[str, str],
    tmp_path: Path,
) -> None:
    """One clear error, in the record of the step that met it, and nothing was changed before it: no repository and no deploy is left behind.

    `test_release.py` has how a run ends that such a step fails.
    """
    before = journal(sandbox)
    last = run_cells(name, sandbox_environ, tmp_path, **declared(name, given))[-1]
    assert (last.step, last.state) == (step, StepState.FAILED)
    assert last.error
    assert last.error["message"]
    # Only the container knows what its variables may be.
    assert journal(sandbox) == before or step == "create_task"


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("clean_up", "keep_newest", "-1"),
        ("rotate", "lifetime_s", "0"),
        ("scale", "count", "-1"),
        ("scale", "count", "1001"),
        ("create_repository", "untagged_days", "-5"),
        ("create_repository", "keep_newest", "-1"),
        ("deploy", "wait_timeout_s", "0"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, parameter: str, value: str, tmp_path: Path) -> None:
    """Before anything starts: exit code 2, the parameter named, no file written."""
    done = ours.call("run", name, "-p", parameter, value, environ=os.environ, cwd=tmp_path)
    assert done.returncode == 2
    assert f"parameter '{parameter}' refused: {float(value):g}" in done.stderr.replace(".0 is", " is")
    assert list(tmp_path.iterdir()) == []
