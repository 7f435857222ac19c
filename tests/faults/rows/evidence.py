"""Row 81: evidence that is made up or made anew, tried on the audit, and notebooks that are only shown in another way."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from ecr_widgets.audit.chain_head import Heads, heads_of
from ecr_widgets.audit.findings import Verification
from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.keys import KeyRing, export_keys, fingerprint
from ecr_widgets.audit.reading import read_content
from ecr_widgets.audit.run import Run
from ecr_widgets.audit.scan import scan
from ecr_widgets.audit.sealing import seal_run
from ecr_widgets.audit.subjects import subjects_of
from ecr_widgets.audit.verify import verify
from ecr_widgets.errors import InputError
from tests.audit.runs import recorded, save
from tests.faults.plan import batch

NOW = datetime(2026, 11, 1, tzinfo=UTC)
Notebook = dict[str, Any]


@dataclass(frozen=True)
class _Place:
    """A folder of runs, the ring that sealed them, and a colleague's whose key is trusted."""

    folder: Path
    chance: random.Random

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def ring(self) -> KeyRing:
        return KeyRing(self.folder / "keys")

    def seal(self, name: str, notebook: Notebook, *, hours: int = 0, ring: KeyRing | None = None) -> None:
        path = save((self.runs / name).parent, "deployed", Path(name).name, notebook)
        seal_run(path.parent, path.name, ring=ring or self.ring, now=NOW + timedelta(hours=hours))

    def verify(self, head: Heads | None = None) -> Verification:
        return verify(self.runs, [name for name, _ in scan(self.runs)], ring=self.ring, head=head)


def _marked() -> Notebook:
    """A recorded run with the marks that the engine sets now."""
    notebook = recorded("deployed")
    notebook["metadata"]["ecr_widgets"]["marked"] = True
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output["metadata"] = {"ecr_widgets": {"marked": True}}
    return notebook


def _judged(notebook: Notebook, text: str | None = None) -> tuple[str, Run]:
    found = read_content((text or json.dumps(notebook)).encode(), "run.ipynb")
    assert isinstance(found, Run)
    return judge(found).verdict, found


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda step: f"kit.{step}(x)",
    lambda step: f"kit . {step} (x)",
    lambda step: f"kit.\\\n{step}(x)",
    lambda step: f"getattr(kit, '{step}')(x)",
    lambda step: f"k = kit; k.{step}(x)",
    lambda step: f"exec('kit.{step[:3]}' + '{step[3:]}(x)')",
    lambda step: f"%time kit.{step}(x)",
    lambda step: f"%%capture\nkit.{step}(x)",
    lambda step: f"!echo {{kit.{step}(x)}}",
    lambda step: f"f = kit.{step}",
    lambda step: f"kit.{''.join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in step)}(x)",
    lambda step: f"kit.ecr.{step}(x)",
    lambda step: f">>> kit.{step}(x)",
    lambda step: f"connect().{step}(x)",
)


def _hidden_call(place: _Place) -> tuple[bool, bool]:
    notebook = _marked()
    step = place.chance.choice(("pull_image", "tag_image", "delete_images", "create_task", "scale_service"))
    source = f"if False:\n    pass\n{place.chance.choice(_SPELLINGS)(step)}"
    if "%%" in source:
        source = source[source.index("%%") :]
    next(cell for cell in notebook["cells"] if cell["id"] == "connect")["source"] = source
    text = json.dumps(notebook)
    if place.chance.random() < 0.5:
        text = text.replace(f"kit.{step}(", f"kit.{step.replace('_', chr(92) + 'u005f')}(")
    held = _judged(notebook, text)[0] == "unproven"
    # As it was looked for once: in the file's text.
    return held, f"kit.{step}(" not in re.findall(r"kit\.[a-z_]+\(", text)


def _displayed_record(place: _Place) -> tuple[bool, bool]:
    notebook = _marked()
    outputs = [o for c in notebook["cells"] for o in c.get("outputs", ())]
    forged = copy.deepcopy(place.chance.choice(outputs))
    forged["metadata"] = place.chance.choice(({}, {"ecr_widgets": {"actor": "x"}}, {"marked": True}))
    place.chance.choice([c for c in notebook["cells"] if c["cell_type"] == "code"])["outputs"].append(forged)
    verdict, run = _judged(notebook)
    counted = len(run.steps) != len(outputs)
    only = _marked()
    for cell in only["cells"]:
        for output in cell.get("outputs", ()):
            output["metadata"] = {}
    _, empty = _judged(only)
    held = verdict == "unproven" and not counted and not subjects_of(empty).deployed
    return held, only["metadata"]["ecr_widgets"]["state"] == "succeeded"


def _sealed_again(place: _Place) -> tuple[bool, bool]:
    notebook = recorded("failed")
    place.seal("run.ipynb", notebook)
    head = heads_of(place.runs)
    colleague = KeyRing(place.folder / "colleague")
    key, _ = colleague.signing_key(now=NOW)
    place.ring.trust(export_keys([key]).encode(), [key.fingerprint])
    altered = copy.deepcopy(notebook)
    run = altered["metadata"]["ecr_widgets"]
    run |= {"state": "succeeded", "reason": None}
    if place.chance.random() < 0.5:
        run["attempts"] = [
            {"state": place.chance.choice(("interrupted", "failed")), "ended_at": "2026-01-01T00:00:00.000Z"}
        ]
    name = place.chance.choice(("run.ipynb", "other.ipynb", "below/run.ipynb"))
    place.seal(name, altered, hours=1, ring=place.chance.choice((place.ring, colleague)))
    found = place.verify(head)
    held = any(f.path == name and f.finding == "resealed" for f in found.files) and not found.ok
    return held, not found.chain


def _folder_gone(place: _Place) -> tuple[bool, bool]:
    for number, name in enumerate(("run.ipynb", "prod/run.ipynb", "prod/eu/run.ipynb")):
        notebook = recorded("proven")
        notebook["metadata"]["ecr_widgets"]["run_id"] = f"run-{number}"
        place.seal(name, notebook)
    heads = heads_of(place.runs)
    shutil.rmtree(place.runs / place.chance.choice(("prod", "prod/eu")))
    return not place.verify(heads).ok, place.verify(Heads(heads.own)).ok


def _retirement_dropped(place: _Place) -> tuple[bool, bool]:
    owner, verifier = KeyRing(place.folder / "owner"), KeyRing(place.folder / "verifier")
    owner.signing_key(now=NOW)
    owner.rotate(now=NOW + timedelta(days=1))
    keys = list(owner.own().values())
    names = [key.fingerprint for key in keys]
    carried = [msgspec.structs.replace(key, retired_at=None) for key in keys]
    known_before = place.chance.random() < 0.5
    if known_before:
        verifier.trust(export_keys(keys).encode(), names)
    try:
        verifier.trust(export_keys(carried).encode(), names)
        taken = True
    except InputError:
        taken = False
    still = [key.retired_at for key in verifier.known().values()] == [
        key.retired_at for key in owner.known().values()
    ]
    # By what seals call a key both files hold the same.
    alike = {key.key for key in keys} == {key.key for key in carried} and len(fingerprint(b"")) == 32
    return not taken and (still or not known_before), alike


_WAYS: tuple[tuple[Notebook, Notebook], ...] = (
    ({}, {"jupyter": {"source_hidden": True}}),
    ({}, {"jupyter": {"outputs_hidden": True}, "collapsed": True}),
    (
        {"vscode": {"interpreter": {"hash": "a" * 64}}, "orig_nbformat": 4},
        {"vscode": {"languageId": "python"}},
    ),
    (
        {"toc-autonumbering": False, "toc-showcode": True},
        {"slideshow": {"slide_type": "skip"}, "editable": True},
    ),
)


def _shown_otherwise(place: _Place) -> tuple[bool, bool]:
    notebook = recorded(place.chance.choice(("deployed", "proven")))
    place.seal("run.ipynb", notebook)
    of_notebook, of_cell = place.chance.choice(_WAYS)
    notebook["metadata"] |= of_notebook
    for cell in notebook["cells"]:
        if place.chance.random() < 0.5:
            cell["metadata"] |= of_cell
    save(place.runs, "deployed", "run.ipynb", notebook)
    fine = place.verify().ok
    place.chance.choice([o for c in notebook["cells"] for o in c.get("outputs", ())])["data"][
        "text/plain"
    ] = "x"
    save(place.runs, "deployed", "run.ipynb", notebook)
    found = place.verify()
    # A hash of the file, which is what people have, differs by either.
    return fine and [f.finding for f in found.files] == ["changed"], True


_ATTACKS = (
    _hidden_call, _displayed_record, _sealed_again, _folder_gone, _retirement_dropped, _shown_otherwise
)  # fmt: skip


@batch(
    81,
    "evidence that is forged, made again or hidden; a notebook that is only shown in another way",
    tries=1200,
    quick=60,
)
def evidence(tries: int, seed: int) -> tuple[int, int, str]:
    """Calls out of sight, displayed records, second seals, folders gone, retirements dropped, folded cells."""
    chance, missed, blind = random.Random(seed), 0, 0
    for number in range(tries):
        with tempfile.TemporaryDirectory(prefix="ft-") as made:
            held, control = _ATTACKS[number % len(_ATTACKS)](_Place(Path(made), chance))
        missed += not held
        blind += control
    return missed, blind, f"a sixth each; control: looked at as once, {blind} of {tries} went unseen"
