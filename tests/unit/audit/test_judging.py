"""Verdicts on real runs, and on the same runs with one thing taken away."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.audit.canonical import differences, form_of
from ecr_widgets.audit.judging import Judgement, judge
from ecr_widgets.audit.run import NoRun, Origin, Run
from ecr_widgets.audit.subjects import subjects_of
from ecr_widgets.engine.saved_run import SavedRun
from tests.audit.runs import KINDS, change_record, recorded, save, steps_of
from tests.reading import read_file

Notebook = dict[str, Any]
OTHER = "sha256:" + "0" * 64


def verdict(folder: Path, notebook: Notebook) -> Judgement:
    return judge(read_file(save(folder, "run", notebook=notebook)))


@pytest.mark.parametrize(
    ("kind", "expected", "why"),
    [
        ("deployed", "proven", ""),
        ("proven", "proven", ""),
        ("failed", "failed", "DeploymentFailed: service 'timeoutsvc' cannot run deploy"),
        ("interrupted", "interrupted", "interrupted by SIGTERM at build_image"),
        ("killed", "interrupted", "it stopped without an end at build_image"),
        ("papermill", "unproven", "run by plain papermill, so nobody watched the cells or the end"),
    ],
)
def test_recorded_runs_get_their_verdicts(tmp_path: Path, kind: str, expected: str, why: str) -> None:
    """Each kind of recorded run gets its verdict and reason."""
    found = judge(read_file(save(tmp_path, kind)))
    assert found.verdict == expected
    assert found.why.startswith(why)


def test_what_a_run_tells_is_read(tmp_path: Path) -> None:
    """A run's origin, state, host, steps, parameters and duration are read from its notebook."""
    run = read_file(save(tmp_path, "deployed"))
    assert isinstance(run, Run)
    assert (run.origin, run.runbook, run.state, run.host) == (
        Origin.ENGINE,
        "release",
        "succeeded",
        "ops-host",
    )
    assert [step.step for step in run.steps] == [
        "check_target", "login", "create_repository", "build_image", "push_image", "create_deploy",
        "update_service", "wait", "verify",
    ]  # fmt: skip
    assert run.parameters == {"tag": "back"}
    assert run.duration_s == pytest.approx(1.9, abs=0.5)


def test_a_running_run_is_running_only_while_somebody_holds_it(tmp_path: Path) -> None:
    """An unfinished run is running while its lock is held, and interrupted otherwise."""
    with SavedRun(recorded("killed"), tmp_path / "run.ipynb", redact=lambda text: text) as saved:
        saved.write()
        assert judge(read_file(tmp_path / "run.ipynb")).verdict == "running"
    assert judge(read_file(tmp_path / "run.ipynb")).verdict == "interrupted"


def _cell(notebook: Notebook, cell_id: str) -> Notebook:
    found: Notebook = next(cell for cell in notebook["cells"] if cell["id"] == cell_id)
    return found


def _without_outputs(notebook: Notebook) -> None:
    _cell(notebook, "push-image")["outputs"] = []


def _without_count(notebook: Notebook) -> None:
    _cell(notebook, "verify-step")["execution_count"] = None


def _not_run(notebook: Notebook) -> None:
    _cell(notebook, "wait-step")["metadata"]["ecr_widgets"]["state"] = "not-run"


def _without_verify(notebook: Notebook) -> None:
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "verify-step"]


def _twice(notebook: Notebook) -> None:
    _cell(notebook, "login-step")["outputs"] *= 2


def _recorded_as(step: str, /, **members: Any) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        change_record(notebook, step, **members)

    return change


def _with_source(cell_id: str, source: str) -> Callable[[Notebook], None]:
    return lambda notebook: _cell(notebook, cell_id).update(source=source)


def _moved(notebook: Notebook) -> None:
    _cell(notebook, "connect")["outputs"] = _cell(notebook, "login-step")["outputs"]
    _cell(notebook, "login-step").update(outputs=[], source="1")


def _resumed(notebook: Notebook) -> None:
    run = notebook["metadata"]["ecr_widgets"]
    run["resumed_at"] = run["ended_at"]


TAKEN_AWAY: dict[str, tuple[Callable[[Notebook], None], str]] = {
    "outputs": (_without_outputs, "cell push-image calls push_image and holds no record of it"),
    "count": (_without_count, "cell verify-step has no execution count"),
    "state": (_not_run, "cell wait-step is not-run"),
    "verify": (_without_verify, "update_service: no verify of service 'timeoutsvc' on deploy 'timeout.1' follows"),
    "twice": (_twice, "record 3 is missing: login calls itself 2"),
    "other run": (_recorded_as("login", run_id="x"), "the record of login is of another run, x"),
    "open step": (_recorded_as("push_image", state="intended"), "push_image is intended"),
    "no end": (_recorded_as("push_image", ended_at=None), "push_image has no end"),
    "digest": (_recorded_as("push_image", outcome={"digest": "latest"}), "push_image: the registry confirmed no digest"),
    "image": (_recorded_as("push_image", outcome={"digest": OTHER}), "push_image: image and digest disagree"),
    "by tag": (
        _recorded_as("create_deploy", outcome={"image": "r/x:latest"}),
        "create_deploy: the image is not named by digest",
    ),
    "another": (
        _recorded_as("create_deploy", outcome={"image": f"r/x@{OTHER}"}),
        "create_deploy: it names another image than was asked for",
    ),
    "verified another": (
        _recorded_as("verify", outcome={"running_digest": OTHER}),
        "verify: registry, running service and wanted image do not name one digest",
    ),
    "verified elsewhere": (_recorded_as("verify", outcome={"deploy_id": "timeout.7"}), "update_service: no verify of"),
    "no copy": (_recorded_as("verify", outcome={"running_count": 0}), "verify: no copy ran"),
    "true copies": (_recorded_as("verify", outcome={"running_count": True}), "verify: no copy ran"),
    "not all copies": (_recorded_as("wait", outcome={"desired_count": 2}), "wait: 1 of 2 copies ran"),
    "no address": (_recorded_as("create_repository", outcome={"uri": ""}), "create_repository: the registry gave no"),
    "no id": (_recorded_as("build_image", outcome={"image_id": None}), "build_image: the engine gave no image id"),
    "new step": (
        _recorded_as("create_repository", step="move_mountain", changed=True),
        "cell create-repository calls create_repository and holds no record of it",
    ),
    "hidden": (_with_source("connect", "kit = connect()\ngetattr(kit, 'login')()"), "cell connect may call steps that cannot be seen: it uses getattr"),
    "alias": (_with_source("connect", "kit = connect()\nk = kit"), "cell connect may call steps that cannot be seen: kit is handed on"),
    "not Python": (_with_source("connect", "def ("), "cell connect may call steps that cannot be seen: its source cannot be read"),
    "two places": (_with_source("login-step", "kit.login(); kit.login()"), "cell login-step calls login in 2 places and holds 1 of 2 records"),
    "of a part": (_with_source("connect", "kit = connect()\nkit.ecr.delete_images(x)"), "cell connect calls delete_images and holds no record"),
    "no call": (_with_source("login-step", "1"), "cell login-step holds a record of login and does not call it"),
    "moved record": (_moved, "cell connect holds a record of login and does not call it"),
    "early": (_recorded_as("login", started_at="2000-01-01T00:00:00.000Z"), "login started before the run did"),
    "late": (_recorded_as("login", ended_at="2100-01-01T00:00:00.000Z"), "login ended after the run did"),
    "before it was resumed": (_resumed, "check_target started before the run did"),
    "newer record": (_recorded_as("login", version=2), "cell login-step: a record of version 2: this release reads 1"),
    "broken record": (_recorded_as("login", inputs="x"), "cell login-step: a record that cannot be read: Expected object"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN_AWAY)
def test_a_run_that_lacks_one_thing_is_unproven_and_says_which(tmp_path: Path, case: str) -> None:
    """A run that lacks one count, record or post-condition is unproven, and the reason names it."""
    change, why = TAKEN_AWAY[case]
    notebook = recorded("deployed")
    change(notebook)
    found = verdict(tmp_path, notebook)
    assert found.verdict == "unproven"
    assert any(reason.startswith(why) for reason in found.reasons), found.reasons


def test_an_unknown_step_that_changed_something_is_unproven(tmp_path: Path) -> None:
    """An unknown step that changed something makes a run unproven; one that changed nothing does not matter."""
    notebook = recorded("proven")
    notebook["cells"][-1]["source"] = "kit.move_mountain()"
    change_record(notebook, "verify", step="move_mountain", changed=True)
    assert (
        "no post-condition of move_mountain is known to this release" in verdict(tmp_path, notebook).reasons
    )
    change_record(notebook, "move_mountain", changed=False)
    assert "move_mountain" not in verdict(tmp_path, notebook).why


def test_a_run_without_any_step_proves_nothing(tmp_path: Path) -> None:
    """A run without any step record is unproven, although all cells succeeded."""
    notebook = recorded("proven")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "source": "1"}
    assert verdict(tmp_path, notebook).why == "no step left a record"


def test_a_call_in_a_comment_needs_no_record(tmp_path: Path) -> None:
    """A call in a comment needs no record; a real call does, also in a source that is a list of lines."""
    notebook = recorded("proven")
    for source in ("# kit.push_image(x)\n1", ["1\n", "# kit.push_image(x)"], ["pocket.kit.nothing()\n"]):
        _cell(notebook, "connect")["source"] = source
        assert verdict(tmp_path, notebook).verdict == "proven"
    _cell(notebook, "connect")["source"] = ["# why\n", "kit.push_image(x)"]
    assert verdict(tmp_path, notebook).verdict == "unproven"


def test_a_run_by_hand_says_so(tmp_path: Path) -> None:
    """A run without metadata of the engine or papermill is called a run by hand and is unproven."""
    notebook = recorded("proven")
    del notebook["metadata"]["ecr_widgets"], notebook["metadata"]["papermill"]
    found = verdict(tmp_path, notebook)
    assert found.verdict == "unproven"
    assert found.reasons[0].startswith("run by hand")


@pytest.mark.parametrize("kind", KINDS)
def test_saving_again_the_way_jupyter_does_changes_no_verdict(tmp_path: Path, kind: str) -> None:
    """Saving a run again with nbformat, which splits texts into lines, does not change its verdict."""
    import nbformat

    first = read_file(save(tmp_path, kind))
    nbformat.write(nbformat.read(tmp_path / f"{kind}.ipynb", 4), tmp_path / f"{kind}.ipynb")
    assert isinstance(json.loads((tmp_path / f"{kind}.ipynb").read_text())["cells"][0]["source"], list)
    assert judge(read_file(tmp_path / f"{kind}.ipynb")) == judge(first)


def test_a_runs_own_version_is_respected(tmp_path: Path) -> None:
    """A run of an unknown version is named and not judged."""
    for version in (2, True, "1", None):
        notebook = recorded("proven")
        notebook["metadata"]["ecr_widgets"]["version"] = version
        found = read_file(save(tmp_path, "run", notebook=notebook))
        assert isinstance(found, NoRun)
        assert found.why == f"a run of version {version!r}: this release reads 1"


def _planned(notebook: Notebook) -> None:
    if "ecr_widgets" in notebook["metadata"]:
        notebook["metadata"]["ecr_widgets"]["plan"] = True
    for record, data in steps_of(notebook):
        if record["changed"]:
            record |= {"state": "intended", "outcome": {"planned": True}}
            data["application/vnd.ecr-widgets.record+json"] = json.dumps(record)


def test_a_plan_is_no_proof_of_a_change_and_no_deploy(tmp_path: Path) -> None:
    """A plan gets the verdict plan with what it would do, and counts as no deploy."""
    for kind in ("deployed", "papermill"):
        notebook = recorded(kind)
        if kind == "papermill":
            change_record(notebook, next(steps_of(notebook))[0]["step"], changed=True)
        _planned(notebook)
        found = read_file(save(tmp_path, kind, notebook=notebook))
        assert isinstance(found, Run)
        told = judge(found)
        assert told.verdict == "plan"
        assert told.why.startswith("it would ")
        assert subjects_of(found).deployed == {}


def test_a_plan_that_changed_something_is_unproven(tmp_path: Path) -> None:
    """A plan that recorded a change is unproven."""
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"]["plan"] = True
    found = judge(read_file(save(tmp_path, "deployed", notebook=notebook)))
    assert found.verdict == "unproven"
    assert "a plan in which" in found.why


def _marked(notebook: Notebook, mark: object = {"marked": True}) -> Notebook:
    """Mark each record as the engine does now when it receives it over its own channel."""
    notebook["metadata"]["ecr_widgets"]["marked"] = True
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output["metadata"] = {"ecr_widgets": mark}
    return notebook


def test_marked_records_prove_and_others_do_not_count(tmp_path: Path) -> None:
    """A record that a cell merely displays makes the run unproven and is not counted."""
    assert verdict(tmp_path, _marked(recorded("deployed"))).verdict == "proven"
    notebook = _marked(recorded("deployed"))
    _cell(notebook, "deploy-service")["outputs"][0]["metadata"] = {}
    found = read_file(save(tmp_path, "run", notebook=notebook))
    assert isinstance(found, Run)
    assert judge(found).verdict == "unproven"
    assert (
        "cell deploy-service shows a record of update_service that no step of this run has made"
        in judge(found).reasons
    )
    assert subjects_of(found).deployed == {}


@pytest.mark.parametrize("mark", [None, {}, {"marked": False}, {"marked": 1}, {"actor": "x"}, "x", [1]])
def test_nothing_else_is_a_mark(tmp_path: Path, mark: object) -> None:
    """A record with any other value in place of the mark does not count, and nothing is raised."""
    assert verdict(tmp_path, _marked(recorded("deployed"), mark)).verdict == "unproven"


def test_a_run_of_a_release_without_marks_is_judged_without_them(tmp_path: Path) -> None:
    """A run of a release without marks is proven without them."""
    assert verdict(tmp_path, recorded("deployed")).verdict == "proven"


def _respelled(value: Any, chance: random.Random) -> str:
    """Return the same JSON spelled differently: escapes, order of members, lines of sources."""
    if isinstance(value, str):
        return '"' + "".join(_letter(each, chance) for each in value) + '"'
    if isinstance(value, list):
        return f"[{','.join(_respelled(each, chance) for each in value)}]"
    if isinstance(value, dict):
        members = [
            (
                name,
                each.splitlines(keepends=True)
                if name == "source" and isinstance(each, str) and chance.random() < 0.5
                else each,
            )
            for name, each in value.items()
        ]
        chance.shuffle(members)
        return (
            "{" + ",".join(f"{_respelled(n, chance)}:{_respelled(each, chance)}" for n, each in members) + "}"
        )
    return json.dumps(value)


def _letter(letter: str, chance: random.Random) -> str:
    if chance.random() < 0.1 and ord(letter) < 0x10000:
        return f"\\u{ord(letter):04x}"
    return json.dumps(letter)[1:-1]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["deployed", "proven", "papermill", "unproven"])
def test_what_the_seal_takes_for_the_same_is_judged_the_same(tmp_path: Path, kind: str, seed: int) -> None:
    """A spelling that keeps the sealed form does not change the verdict or its reasons."""
    notebook = recorded("deployed" if kind == "unproven" else kind)
    if kind == "unproven":
        _cell(notebook, "push-image")["outputs"] = []
    notebook["cells"].append(
        {
            "cell_type": "code",
            "id": "e",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": " ",
        }
    )
    path = save(tmp_path, "run", notebook=notebook)
    first, content = judge(read_file(path)), path.read_bytes()
    path.write_text(_respelled(notebook, random.Random(seed)))
    assert differences(form_of(content), form_of(path.read_bytes())) == ()
    assert judge(read_file(path)) == first
