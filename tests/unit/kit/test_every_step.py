"""What every step has to have, so that a new one cannot be forgotten anywhere."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

import ecr_widgets.steps
from ecr_widgets.audit.calls import read_source
from ecr_widgets.audit.postconditions import has_rule
from ecr_widgets.kit import Kit
from ecr_widgets.kit.layer0_steps import Layer0Steps
from ecr_widgets.kit.repository_steps import RepositorySteps
from ecr_widgets.steps.step import Look, Step

NAMES = [
    each.name for each in iter_modules(ecr_widgets.steps.__path__) if each.name not in ("shared", "step")
]
JUDGES_ONLY = ("wait", "verify")
"""They change nothing, and what they judge is not there yet while a plan is made."""


STARTS = frozenset(("create_service", "update_service", "start_task", "scale_service", "continue_deployment"))
"""The calls of a deploy target that start containers."""


def step_of(name: str) -> type[Step[Any, Any]]:
    module = import_module(f"ecr_widgets.steps.{name}")
    (step,) = (
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, Step) and each.__module__ == module.__name__
    )
    return step


@pytest.mark.parametrize("name", NAMES)
def test_a_module_is_one_step_of_its_name(name: str) -> None:
    """Class and record are named as the file is; a deploy's record says whether the service is created or updated."""
    step = step_of(name)
    assert step.__name__ == name.title().replace("_", "")
    assert step.step == ("update_service" if name == "deploy_service" else name)


@pytest.mark.parametrize("name", NAMES)
def test_the_kit_offers_the_step(name: str) -> None:
    """Under the step's own name; a wait may be followed by a rollback and is a method of its own."""
    offered = {
        call: made.step
        for part in (Kit, RepositorySteps, Layer0Steps)
        for call, made in inspect.getmembers(part)
        if hasattr(made, "step")
    }
    assert name == "wait" or offered[name] is step_of(name)


def test_a_step_is_imported_when_its_call_is_first_looked_at() -> None:
    """A kit that was only made has imported none, and who looks at one call imports no other."""
    code = (
        "import sys, ecr_widgets\n"
        f"names = {NAMES!r}\n"
        "imported = lambda: [name for name in names if f'ecr_widgets.steps.{name}' in sys.modules]\n"
        "kit = ecr_widgets.connect(environ={}); kit.ecr; kit.layer0\n"
        "print(imported()); kit.login; print(imported())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['login']"]


@pytest.mark.parametrize("part", ["", "ecr.", "layer0."])
def test_completion_shows_a_signature_beside_each_call(part: str) -> None:
    """Also in a notebook where none of them was looked at yet: IPython's completer asks jedi, and that shows functions'."""
    code = (
        "import jedi, ecr_widgets\n"
        "kit = ecr_widgets.connect(environ={})\n"
        f"found = jedi.Interpreter('kit.{part}', [{{'kit': kit}}]).complete()\n"
        "print([each.name for each in found if each.type == 'function'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kind = {"": Kit, "ecr.": RepositorySteps, "layer0.": Layer0Steps}[part]
    calls = {name for name, made in inspect.getmembers(kind) if hasattr(made, "step")}
    assert calls <= set(ast.literal_eval(done.stdout))


@pytest.mark.parametrize("name", NAMES)
def test_a_step_only_looks_or_says_what_it_asks_and_can_be_planned(name: str) -> None:
    """What it asks is the list of permissions that it needs; without a plan nobody could approve it."""
    step = step_of(name)
    looks = issubclass(step, Look)
    assert looks is not bool(step.asks) or name in JUDGES_ONLY
    assert looks or step.plan is not Step.plan


@pytest.mark.parametrize("name", NAMES)
def test_an_audit_knows_what_proves_the_step(name: str) -> None:
    """Or that it claims nothing but what it saw."""
    assert has_rule(step_of(name).step) or issubclass(step_of(name), Look)


@pytest.mark.parametrize("name", NAMES)
def test_what_starts_containers_asks_the_policy(name: str) -> None:
    """Before it or, as a rollback, afterwards; and a saved run whose cell holds the answer is still proven."""
    step = step_of(name)
    if STARTS.isdisjoint(step.asks):
        return
    assert (step.gated, step.asked_afterwards) != (Step.gated, Step.asked_afterwards)
    assert "check_evidence" in read_source(json.dumps(f"kit.{name}(x)").encode()).may_hold
