"""Which steps a cell calls, found by parsing its source as Python with IPython's magics and commands.

So spelling cannot hide a call: JSON escapes, split lines, odd white space, letters that Python treats as others. If a call could
be hidden, by running a string, looking up a name or passing the kit on, that is reported instead, and such a cell proves nothing.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from ecr_widgets import steps

STEPS = frozenset(path.stem for path in Path(steps.__path__[0]).glob("*.py")) - {"__init__", "step"}
"""Methods of the kit that leave a record, usually under their own name."""
_LEAVES = {"deploy_service": ("create_service", "update_service")}
"""The names under which a call leaves its record, if not its own."""
_ASKS = ("check_evidence",)
_MAY_LEAVE = {
    "wait": ("rollback", *_ASKS), "verify": ("verify_seals",), "create_deploy": _ASKS, "deploy_service": _ASKS,
    "create_task": _ASKS, "copy_image": _ASKS, "rollback": _ASKS, "scale_service": _ASKS, "continue_deployment": _ASKS,
    "run_waves": ("run_wave",),
}  # fmt: skip
"""Other records that a call may leave."""
_USUAL = frozenset(("kit",))
_PARTS = frozenset(("ecr", "layer0", "look"))
"""Parts of the kit with steps or queries of their own."""
_OF_ANYTHING = frozenset(("login", "wait", "rollback", "verify"))
"""Steps whose names are also common as methods of other objects: they only count on the kit."""
_GIVEN = frozenset(("connect", "open_runs", "open_form", "NotebookKit", "errors", "model", "*"))
"""What the package offers runbooks under its own name."""
_OPEN = {"ecr_widgets": ("errors", "model"), "IPython": ("display",)}
"""Modules of two packages that runbooks may import; their other modules can reach the steps without the kit."""
_REACHING = frozenset((
    "eval", "exec", "compile", "getattr", "globals", "locals", "vars", "builtins", "__builtins__", "__import__", "importlib",
    "import_module", "runpy", "attrgetter", "methodcaller", "__dict__", "__getattribute__", "__getattr__", "__globals__",
    "__subclasses__", "__self__", "__main__", "modules", "run_cell", "run_cell_async", "run_code", "ev", "ex", "user_ns",
    "user_global_ns", "gc", "inspect", "ctypes", "code", "codeop", "pdb", "bdb", "cProfile", "profile", "timeit", "trace",
    "pickle", "marshal", "dill", "cloudpickle",
))  # fmt: skip
"""Names with which Python runs strings, looks up names and reaches objects that it was not given."""
_OWN_LINE = "ECR_WIDGETS_CHANNEL"
_RUN_LINE = frozenset(("time", "timeit", "prun"))
"""Magics whose line is Python code."""
_RUN_BODY = frozenset(("time", "timeit", "prun", "capture"))
"""Magics whose cell is Python code."""
_RUN_NOTHING = frozenset((
    "cd", "conda", "env", "html", "javascript", "js", "latex", "ls", "markdown", "matplotlib", "pinfo", "pinfo2", "pip", "pwd",
    "set_env", "svg", "who", "writefile", "xmode", "bash", "sh", "script",
))  # fmt: skip
"""Magics that run nothing in the kernel."""
_LONGEST = 50_000
"""How many characters of a cell are parsed: no person reviews more, and the tree takes much memory."""
_DEEPEST = 5
_PROMPT = re.compile(r"(?:>>>|\.\.\.)(?: |$)|In \[\d+\]: |\s*\.{3,}: ?")
_ESCAPE = re.compile(r"(?P<before>\s*|[\w\s.,:*\[\]]+=\s*)(?P<escape>%|!!?)(?P<rest>.*)")
_HELP = re.compile(r"\s*(?:\?\??[\w.*%]+|[\w.*%]+\?\??)\s*")
_ODD_ENDS = re.compile("[\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
"""Characters that end a line for IPython but not for Python."""
_CANNOT_READ = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


@dataclass(frozen=True, slots=True)
class Source:
    """What one cell's source shows on its own; which names are the kit's, only the whole notebook shows."""

    uses: tuple[tuple[str, str], ...] = ()
    """Attributes named like a step, each after the name that its chain begins with, which is empty if there is none."""
    kits: frozenset[str] = frozenset()
    """Names that the kit is assigned to."""
    whole: frozenset[str] = frozenset()
    """Names that are used on their own, and so passed on."""
    odd: tuple[tuple[str, str], ...] = ()
    """Uses of an object that are not steps, each after the name that its chain begins with."""
    may_hold: frozenset[str] = frozenset()
    """Names of the records that a cell may hold: those of everything it calls, in case it is a later release's step."""
    hidden: str | None = None
    """Why the cell could hide a call."""


def calls_in(source: Source, kits: frozenset[str]) -> tuple[str, ...]:
    """Return the steps that a cell calls, one per place, in order.

    Args:
        kits: The names for the kit in any cell of the notebook.
    """
    return tuple(step for root, step in source.uses if step not in _OF_ANYTHING or root in kits)


def hidden_in(source: Source, kits: frozenset[str]) -> str | None:
    """Return why a cell could hide a call, or None."""
    if source.hidden is not None:
        return source.hidden
    for root, what in source.odd:
        if root in kits:
            return f"{root}{what:.100} is no step"
    if kits.isdisjoint(source.whole):
        return None
    for name in sorted(source.whole & kits):
        return f"{name:.100} is handed on"
    return None


def kits_of(sources: list[Source]) -> frozenset[str]:
    """Return the names for the kit in a notebook's cells; `kit` is always one."""
    given = [source.kits for source in sources if source.kits]
    return _USUAL.union(*given) if given else _USUAL


def records_of_call(step: str) -> tuple[str, ...]:
    """Return the names under which a call of a step leaves its record."""
    return _LEAVES.get(step, (step,))


@lru_cache(maxsize=1024)
def read_short_source(raw: bytes) -> Source:
    """Read a short source with a cache, because the same runbooks run again and again."""
    return read_source(raw)


def read_source(raw: bytes) -> Source:
    """Read a cell's source.

    Args:
        raw: The source as in the notebook: JSON of a string or a list of lines; empty if there is none.
    """
    try:
        source = _decode(raw) if raw else ""
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Source(hidden="its source is no text")
    return _read(source if isinstance(source, str) else "".join(source), 0)


def _read(text: str, depth: int) -> Source:
    if len(text) > _LONGEST:
        return Source(hidden=f"its source is longer than {_LONGEST} characters")
    reader = _Reader(depth)
    try:
        try:
            tree = _parse(text)
        except SyntaxError:
            text, magics = _without_escapes(text)
            tree = _parse(text)
            for magic in magics:
                reader.magic(*magic)
        if any(map(_PROMPT.match, text.split("\n", 2)[:2])):
            # IPython would remove the prompts from all lines.
            return Source(hidden="it begins with a prompt")
        return reader.read(tree)
    except _CANNOT_READ as error:
        return Source(hidden=f"its source cannot be read as Python: {type(error).__name__}")


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        # Warnings about backslashes in strings do not concern an audit.
        warnings.simplefilter("ignore")
        return ast.parse(text)


class _Magic(NamedTuple):
    """A magic, or a shell command as the equivalent magic."""

    name: str
    line: str
    body: str = ""


def _without_escapes(text: str) -> tuple[str, list[_Magic]]:
    """Return a cell as Python, with a harmless statement in place of each magic and command, and these magics.

    One that IPython would not accept, in brackets or after a backslash, then makes the cell invalid Python.

    Raises:
        ValueError: IPython may split the lines differently from Python.
    """
    if _ODD_ENDS.search(text):
        raise ValueError("a line end that Python does not know")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n").split("\n")
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    lines = [line.removeprefix(indent) for line in lines]
    if lines[0].startswith("%%"):
        name, _, line = lines[0][2:].rstrip().partition(" ")
        return "", [_Magic(name, line, "\n".join(lines[1:]))]
    magics: list[_Magic] = []
    made: list[str] = []
    due = iter(lines)
    for line in due:
        match = _ESCAPE.fullmatch(line)
        if match is None:
            made.append(f"{line[: len(line) - len(line.lstrip())]}pass" if _HELP.fullmatch(line) else line)
            continue
        rest = match["rest"]
        while rest.endswith("\\") and (more := next(due, None)) is not None:
            rest = f"{rest[:-1]} {more}"
        magics.append(_Magic(*rest.partition(" ")[::2]) if match["escape"] == "%" else _Magic("bash", rest))
        made.append(f"{match['before']}{'None' if match['before'].strip() else 'pass'}")
    return "\n".join(made), magics


class _Reader:
    """Visits each node of a tree once, parents before children."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._uses: list[tuple[int, int, str, str]] = []
        self._kits: set[str] = set()
        self._whole: set[str] = set()
        self._odd: list[tuple[str, str]] = []
        self._hidden: list[str] = []
        self._may_hold: set[str] = set()
        self._seen: set[int] = set()
        """Nodes that a parent node has already accounted for."""

    def read(self, tree: ast.Module) -> Source:
        """Return what the tree shows."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                self._attribute(node)
            elif isinstance(node, ast.Name):
                self._name(node)
            elif isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, ast.Assign) and len(node.targets) == 1:
                self._assigned(node.targets[0], node.value)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._assigned(node.target, node.value)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                self._import(node)
            elif (
                isinstance(node, ast.Constant)
                and isinstance(node.value, (str, bytes))
                and _OWN_LINE in str(node.value)
            ):
                self._hidden.append("it names the engine's own line")
        return Source(
            tuple((root, step) for *_, root, step in sorted(self._uses)),
            frozenset(self._kits),
            frozenset(self._whole),
            tuple(self._odd),
            frozenset(self._may_hold),
            f"{self._hidden[0]:.100}" if self._hidden else None,
        )

    def _attribute(self, node: ast.Attribute) -> None:
        if node.attr in _REACHING:
            self._hidden.append(f"it uses {node.attr}")
        is_inner = id(node) in self._seen
        self._seen.add(id(node.value))
        if _is_named(node.value, "ecr_widgets") and (
            node.attr not in _GIVEN or (node.attr == "connect" and not is_inner)
        ):
            self._hidden.append(f"it uses ecr_widgets.{node.attr}")
        root = _root(node)
        if isinstance(node.ctx, ast.Load):
            self._may_hold.update((node.attr, *_LEAVES.get(node.attr, ()), *_MAY_LEAVE.get(node.attr, ())))
        if node.attr in STEPS and isinstance(node.ctx, ast.Load):
            # Sorted by the end of the last name, because all parts of a chain begin at the same place.
            self._uses.append((node.end_lineno or 0, node.end_col_offset or 0, root, node.attr))
        elif not isinstance(node.ctx, ast.Load) or node.attr.startswith("_") or node.attr == "acting_in":
            self._odd.append((root, f".{node.attr}"))
        elif node.attr in _PARTS and not is_inner and isinstance(node.value, ast.Name):
            self._odd.append((root, f".{node.attr} by itself"))

    def _name(self, node: ast.Name) -> None:
        if node.id in _REACHING:
            self._hidden.append(f"it uses {node.id}")
        if id(node) in self._seen or not isinstance(node.ctx, ast.Load):
            return
        if node.id in ("get_ipython", "connect", "ecr_widgets"):
            self._hidden.append(f"it hands {node.id} on")
        self._whole.add(node.id)

    def _call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) or _connects(node):
            self._seen.add(id(node.func))
        if _connects(node) and id(node) not in self._seen:
            self._hidden.append("it hands on what connect() gives")
        shell = isinstance(node.func, ast.Attribute) and node.func.value
        if isinstance(shell, ast.Call) and _is_named(shell.func, "get_ipython"):
            assert isinstance(node.func, ast.Attribute)
            self._seen.add(id(shell))
            self._called_magic(
                node.func.attr, [a.value if isinstance(a, ast.Constant) else None for a in node.args]
            )
        elif _is_named(node.func, "get_ipython") and id(node) not in self._seen:
            self._hidden.append("it hands get_ipython() on")

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name) and isinstance(value, ast.Call) and _connects(value):
            self._kits.add(target.id)
            self._seen.add(id(value))

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            name = f"{module}.{alias.name}" if module else alias.name
            renamed = alias.asname not in (None, alias.name)
            if _REACHING & set(name.split(".")) or not _is_open(module or name):
                self._hidden.append(f"it imports {name}")
            elif module == "ecr_widgets" and (alias.name not in _GIVEN or renamed):
                self._hidden.append(
                    f"it imports {name} under another name" if renamed else f"it imports {name}"
                )
            elif name == "ecr_widgets" and renamed:
                self._hidden.append("it imports ecr_widgets under another name")

    def _called_magic(self, method: str, arguments: list[object]) -> None:
        texts = [each for each in arguments if isinstance(each, str)]
        if len(texts) != len(arguments) or not texts or method not in _MAGICS:
            self._hidden.append(f"it uses get_ipython().{method}")
        elif method in ("system", "getoutput"):
            self.magic("bash", texts[0], "")
        else:
            self.magic(*(*texts, "", "")[:3])

    def magic(self, name: str, line: str, body: str) -> None:
        """Look at a magic, and at any Python code in it."""
        if _OWN_LINE in line or _OWN_LINE in body:
            self._hidden.append("it names the engine's own line")
        elif "{" in line:
            self._hidden.append("it has IPython work out what is in braces")
        elif name in _RUN_LINE | _RUN_BODY and not line.lstrip().startswith("-") and self._depth < _DEEPEST:
            for text in (line if name in _RUN_LINE else "", body if name in _RUN_BODY else ""):
                self._take(_read(text, self._depth + 1))
        elif name not in _RUN_NOTHING:
            self._hidden.append(f"it uses %{name}")

    def _take(self, inner: Source) -> None:
        self._uses += [(0, at, root, step) for at, (root, step) in enumerate(inner.uses)]
        self._kits |= inner.kits
        self._whole |= inner.whole
        self._odd += inner.odd
        self._may_hold |= inner.may_hold
        self._hidden += [inner.hidden] if inner.hidden else []


_MAGICS = frozenset(("run_line_magic", "run_cell_magic", "system", "getoutput"))


def _root(node: ast.expr) -> str:
    """The name that a chain of attributes begins with; `kit` if it begins with `connect()`, empty if with neither."""
    while isinstance(node, ast.Attribute):
        node = node.value
    if isinstance(node, ast.Call) and _connects(node):
        return "kit"
    return node.id if isinstance(node, ast.Name) else ""


def _connects(node: ast.Call) -> bool:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr == "connect" and _is_named(function.value, "ecr_widgets")
    return _is_named(function, "connect")


def _is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_open(module: str) -> bool:
    """Whether a module offers no way around the kit to the steps or to what magics do."""
    top, _, rest = module.partition(".")
    return not rest or rest.partition(".")[0] in _OPEN.get(top, (rest.partition(".")[0],))


_decode = msgspec.json.Decoder(str | list[str]).decode
