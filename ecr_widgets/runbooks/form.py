"""The form of a runbook: it explains and calls steps, and everything else is in a package."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.declarations import declared_parameters
from ecr_widgets.runbooks.cell_secrets import secrets_in_code, secrets_in_comments, secrets_in_text
from ecr_widgets.runbooks.language import refuse_other_cells, refuse_other_language
from ecr_widgets.runbooks.notebook_file import read_notebook
from ecr_widgets.saved_runs.reading import OURS
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry

_ALLOWED = (
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AnnAssign,
    ast.Expr,
)
_LOGIC = (
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.Await,
    ast.NamedExpr,
)


_CHECKS = re.compile(r"kit\.(check_target|plan_fleet)\(")
"""Steps that look at what a runbook will change, before its first change."""
_AROUND = frozenset(("exec", "eval", "compile", "__import__", "open", "input", "get_ipython"))
_AROUND_MODULES = frozenset(("os", "subprocess", "shutil", "sys", "importlib"))
_NO_SECRETS = "keep secrets out of notebooks"


@dataclass(frozen=True, slots=True)
class Breach:
    """One place where a notebook breaks the form."""

    cell: int
    """Counting from 1; 0 for the whole notebook."""
    what: str
    hint: str

    def __str__(self) -> str:
        where = f"cell {self.cell}" if self.cell else "notebook"
        return f"{where}: {self.what}; {self.hint}"


@dataclass(frozen=True, slots=True)
class _Cell:
    number: int
    kind: str
    source: str
    metadata: Mapping[str, Any]
    has_outputs: bool = False

    @classmethod
    def read(cls, number: int, raw: Mapping[str, Any]) -> _Cell:
        return cls(
            number,
            raw["cell_type"],
            raw["source"],
            raw["metadata"],
            bool(raw.get("outputs")) or raw.get("execution_count") is not None,
        )

    @property
    def is_parameters(self) -> bool:
        return "parameters" in (self.metadata.get("tags") or ())

    @property
    def steps(self) -> int:
        """How many statements call the kit."""
        if self.kind != "code" or self.is_parameters:
            return 0
        try:
            body = ast.parse(self.source).body
        except SyntaxError:
            return 0
        return sum(any(_is_step(node) for node in ast.walk(statement)) for statement in body)

    @property
    def calls_kit(self) -> bool:
        return self.kind == "code" and ("kit." in self.source or "runs." in self.source)


def check_form(path: Path) -> tuple[Breach, ...]:
    """Return what breaks the form, in cell order.

    Raises:
        InputError: Not a notebook, or one in another language.
    """
    try:
        notebook = read_notebook(path.read_bytes(), path)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}", hint="give a notebook") from error
    refuse_other_language(notebook["metadata"])
    refuse_other_cells(notebook["cells"])
    cells = [_Cell.read(number, raw) for number, raw in enumerate(notebook["cells"], 1)]
    try:
        return tuple(sorted((*_whole(cells), *_each(cells)), key=lambda each: each.cell))
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f"Python cannot read the cells of {str(path)!r}: {error}", hint="write shorter ones"
        ) from error


def _whole(cells: Sequence[_Cell]) -> Iterator[Breach]:
    first = cells[0] if cells else _Cell(1, "", "", {})
    if first.kind != "markdown" or not first.source.startswith("# "):
        yield Breach(1, "it does not begin with a title", "begin with a Markdown cell: # What it does")
    elif len(first.source.strip().splitlines()) < 2:
        yield Breach(
            1, "it does not state its purpose", "say below the title what it does and what it changes"
        )
    if not any(each.kind == "markdown" and "operation note" in each.source.lower() for each in cells):
        yield Breach(0, "there is no operation note", "add a Markdown cell: ## Operation note")
    tagged = sum(each.is_parameters for each in cells)
    if tagged != 1:
        yield Breach(0, f"{tagged} cells are tagged `parameters`", "tag exactly one")
    if not any(each.calls_kit for each in cells):
        yield Breach(0, "no cell calls a step", "call kit.… ; see the shipped runbooks")
    if any(each.steps for each in cells) and not any(_CHECKS.search(each.source) for each in cells):
        yield Breach(0, "nothing checks the target", "call kit.check_target(…) before the first change")
    if any(OURS in each.metadata for each in cells):
        yield Breach(0, "it is a saved run, not a runbook", "start from `ecr-widgets runbooks copy`")


def _each(cells: Sequence[_Cell]) -> Iterator[Breach]:
    names: set[str] = set()
    explained = True
    for cell in cells:
        if cell.kind == "markdown":
            explained = True
            for what in secrets_in_text(cell.source):
                yield Breach(cell.number, what, _NO_SECRETS)
        if cell.kind != "code":
            continue
        if cell.has_outputs:
            yield Breach(cell.number, "it has saved outputs", "clear all outputs before you save")
        if cell.is_parameters:
            yield from _parameters(cell.number, cell.source, names)
            continue
        try:
            tree = ast.parse(cell.source)
        except SyntaxError as error:
            yield Breach(cell.number, f"it is not Python: {error.msg} in line {error.lineno}", "fix it")
            continue
        yield from _code(cell, tree, names)
        if cell.calls_kit:
            if not explained:
                yield Breach(cell.number, "nothing says what to expect", "put a Markdown cell in front")
            explained = False


def _code(cell: _Cell, tree: ast.Module, names: set[str]) -> Iterator[Breach]:
    for what in (*secrets_in_code(tree), *secrets_in_comments(cell.source)):
        yield Breach(cell.number, what, _NO_SECRETS)
    yield from _outside(cell.number, tree)
    if cell.steps > 1:
        yield Breach(
            cell.number,
            f"it calls {cell.steps} steps",
            "one per cell, each with a sentence on what to expect",
        )
    yield from _logic(cell.number, tree)
    yield from _undeclared(cell.number, tree, names)


def _parameters(number: int, source: str, names: set[str]) -> Iterator[Breach]:
    try:
        declared = declared_parameters(source)
    except InputError as error:
        yield Breach(number, error.message, "one typed, commented assignment per line")
        return
    for each in declared:
        names.add(each.name)
        if not each.annotated:
            yield Breach(number, f"parameter {each.name!r} has no type", f"write {each.name}: str = …")
        if not each.comment:
            yield Breach(
                number, f"parameter {each.name!r} has no comment", "say its meaning and unit behind a #"
            )
        try:
            each.check(each.default)
        except InputError as error:
            yield Breach(number, error.message, "give it a default of its own type")
    try:
        refuse_secrets({each.name: each.default for each in declared}, SecretRegistry())
    except InputError as error:
        yield Breach(number, error.message, error.hint or "keep secrets out of notebooks")
    for what in secrets_in_comments(source):
        yield Breach(number, what, _NO_SECRETS)
    names |= {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def _logic(number: int, tree: ast.Module) -> Iterator[Breach]:
    hint = "move it into a function of a package, and call that"
    for statement in tree.body:
        if not isinstance(statement, _ALLOWED):
            yield Breach(number, f"line {statement.lineno} is logic ({type(statement).__name__})", hint)
            continue
        for node in ast.walk(statement):
            if isinstance(node, _LOGIC):
                yield Breach(number, f"line {statement.lineno} is logic ({type(node).__name__})", hint)
                break


def _outside(number: int, tree: ast.Module) -> Iterator[Breach]:
    """Calls that bypass the kit: no record shows what they do."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in _AROUND or called.partition(".")[0] in _AROUND_MODULES:
            yield Breach(
                number,
                f"line {node.lineno} calls {called}",
                "move it into a function of a package, and call that",
            )


def _is_step(node: ast.AST) -> bool:
    """Whether a node calls a step of the kit: `kit.step(…)`, `kit.ecr.step(…)`."""
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    return called.startswith("kit.")


def _undeclared(number: int, tree: ast.Module, names: set[str]) -> Iterator[Breach]:
    for statement in tree.body:
        for node in ast.walk(statement):
            if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
                continue
            if node.id not in names and not hasattr(builtins, node.id):
                yield Breach(number, f"{node.id!r} is used and not declared", "declare it as a parameter")
                names.add(node.id)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
