"""What every step needs, so that a new one is complete."""

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
"""Steps that change nothing and judge something that does not exist yet when a plan is made."""


STARTS = frozenset(("create_service", "update_service", "start_task", "scale_service", "continue_deployment"))
"""The deploy target's calls that start containers."""


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
    """Each module has one step, with class and record named after the file; a deploy's record has create or update instead."""
    step = step_of(name)
    assert step.__name__ == name.title().replace("_", "")
    assert step.step == ("update_service" if name == "deploy_service" else name)


@pytest.mark.parametrize("name", NAMES)
def test_the_kit_offers_the_step(name: str) -> None:
    """The kit has a call for each step under its name, except for the wait, which is a method of its own."""
    offered = {
        call: made.step
        for part in (Kit, RepositorySteps, Layer0Steps)
        for call, made in inspect.getmembers(part)
        if hasattr(made, "step")
    }
    assert name == "wait" or offered[name] is step_of(name)


def test_a_step_is_imported_when_its_call_is_first_looked_at() -> None:
    """Creating a kit imports no steps, and looking up one call imports only that step."""
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
    """Completion shows each call as a function, even in a notebook where no call has been looked up."""
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
    """A step either only reads, or lists the requests it makes and can be planned."""
    step = step_of(name)
    looks = issubclass(step, Look)
    assert looks is not bool(step.asks) or name in JUDGES_ONLY
    assert looks or step.plan is not Step.plan


@pytest.mark.parametrize("name", NAMES)
def test_an_audit_knows_what_proves_the_step(name: str) -> None:
    """An audit has a rule for each step that does more than read."""
    assert has_rule(step_of(name).step) or issubclass(step_of(name), Look)


@pytest.mark.parametrize("name", NAMES)
def test_what_starts_containers_asks_the_policy(name: str) -> None:
    """A step that starts containers is checked against the policy, and an audit allows for the answer in a saved cell."""
    step = step_of(name)
    if STARTS.isdisjoint(step.asks):
        return
    assert (step.gated, step.asked_afterwards) != (Step.gated, Step.asked_afterwards)
    assert "check_evidence" in read_source(json.dumps(f"kit.{name}(x)").encode()).may_hold
