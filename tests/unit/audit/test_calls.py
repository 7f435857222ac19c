"""Calls of steps are found however they are spelled, and places where a call could hide are reported."""

from __future__ import annotations

import inspect
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_widgets.audit.calls import (
    STEPS,
    calls_in,
    hidden_in,
    kits_of,
    read_source,
    records_of_call,
)
from ecr_widgets.kit import Kit
from ecr_widgets.kit.layer0_steps import Layer0Steps
from ecr_widgets.kit.repository_steps import RepositorySteps


def calls(*cells: str | list[str]) -> tuple[str, ...]:
    """Return the calls in the last of a notebook's cells."""
    found = [read_source(json.dumps(cell).encode()) for cell in cells]
    return calls_in(found[-1], kits_of(found))


def hidden(*cells: str) -> str | None:
    found = [read_source(json.dumps(cell).encode()) for cell in cells]
    return hidden_in(found[-1], kits_of(found))


SEEN = {
    "nested": ("kit.create_deploy(kit.push_image())", ("create_deploy", "push_image")),
    "blanks": ("kit . push_image (x)", ("push_image",)),
    "backslash": ("kit.\\\npush_image(x)", ("push_image",)),
    "brackets": ("(kit\n  .push_image\n)(x)", ("push_image",)),
    "other letters": ("kit.ｐｕｓｈ_image(x)", ("push_image",)),
    "not called": ("f = kit.push_image", ("push_image",)),
    "switched off": ("if not SKIP: kit.push_image(x)", ("push_image",)),
    "two on a line": ("kit.login(); kit.login()", ("login", "login")),
    "in a text's braces": ("f'{kit.login()}'", ("login",)),
    "in a function": ("def f():\n  return lambda: kit.wait(x)", ("wait",)),
    "decorator": ("@kit.wait\ndef f(): ...", ("wait",)),
    "awaited": ("await kit.wait(x)", ("wait",)),
    "of a part": ("kit.ecr.copy_image(x)\nkit.layer0.delete_task(y)", ("copy_image", "delete_task")),
    "at once": ("kit = connect().push_image(x)", ("push_image",)),
    "another object's": ("helpers.k.push_image(x)", ("push_image",)),
    "magic": ("%time kit.push_image(x)", ("push_image",)),
    "cell magic": ("%%time\nkit.push_image(x)\n!ls", ("push_image",)),
    "captured": ("%%capture\n%time kit.wait(x)", ("wait",)),
    "beside a command": ("!ls\nkit.push_image(x)", ("push_image",)),
    "assigned": ("a, x[1] = !ls\nb: int = %time kit.wait(y)\nprint('c=%s' % d)\n'e=%s' % f", ("wait",)),
    "command over two lines": ("!ls \\\n  -l\nkit.wait(x)", ("wait",)),
    "in a block": ("if x:\n    !ls\n    kit.wait(x)", ("wait",)),
    "windows": ("!ls\r\nkit.wait(x)", ("wait",)),
    "indented": ("  kit.push_image(x)", ("push_image",)),
    "comment": ("# kit.push_image(x)\n1", ()),
    "text": ("'kit.push_image(x)'", ()),
    "another's wait": ("process.wait(); session.login()", ()),
    "looks": ("kit.images('app'); kit.look.images('app'); kit.now()", ()),
    "help": ("kit.push_image?", ()),
    "display": ("from IPython.display import display\nfrom IPython import display as d", ()),
}


@pytest.mark.parametrize("case", SEEN)
def test_a_call_is_seen_however_it_is_spelled(case: str) -> None:
    """Calls are found in a source given as one text or as lines, and with any JSON escapes."""
    source, expected = SEEN[case]
    assert calls(source) == expected
    assert calls(source.splitlines(keepends=True)) == expected
    escaped = '"' + "".join(f"\\u{ord(letter):04x}" for letter in source) + '"'
    assert calls_in(read_source(escaped.encode()), frozenset(("kit",))) == expected
    assert hidden(source) is None


def test_names_that_another_cell_gives_the_kit_count() -> None:
    """Any name bound to `connect()` in one cell is the kit in all cells."""
    assert calls("k = connect(wait_s=5)", "k.wait(x)") == ("wait",)
    assert calls("k: object = ecr_widgets.connect()", "k.ecr.find_uses(x)") == ("find_uses",)
    assert hidden("k = connect()", "f(k)") == "k is handed on"


HIDDEN = {
    "getattr": "getattr(kit, 'push_image')(x)",
    "alias": "k = kit",
    "alias of a part": "e = kit.ecr",
    "in a list": "[kit][0].wait(x)",
    "walrus": "(k := kit).wait(x)",
    "handed on": "helpers.deploy(kit)",
    "shown": "kit",
    "matched": "match kit:\n  case Kit(push_image=f): f(x)",
    "exec": "exec('kit.push_' + 'image(x)')",
    "eval": "eval(text)",
    "compile": "compile(text, '', 'exec')",
    "globals": "globals()['kit']",
    "through main": "import __main__ as m\nm.kit.wait(x)",
    "builtins": "__builtins__['ev' + 'al']",
    "by a method": "print.__self__.eval(text)",
    "methodcaller": "from operator import methodcaller",
    "pickle": "import pickle",
    "shell object": "get_ipython().run_cell(text)",
    "shell handed on": "s = get_ipython()",
    "run": "%run other.ipynb",
    "rerun": "%rerun 3",
    "unknown magic": "%mine kit",
    "options": "%timeit -n 1 kit.push_image(x)",
    "worked out": "!echo {kit.push_image(x)}",
    "connect handed on": "f(connect())",
    "connect renamed": "from ecr_widgets import connect as c",
    "connect by another name": "c = connect",
    "package renamed": "import ecr_widgets as e",
    "package's connect": "c = ecr_widgets.connect",
    "inside": "from ecr_widgets.recording.recorder import Recorder",
    "inside by attribute": "ecr_widgets.channel.open_channel",
    "module of it": "from ecr_widgets import channel",
    "own recorder": "kit._recorder.perform('push_image', {}, f)",
    "method replaced": "kit.push_image = f",
    "other places": "kit.acting_in(p).push_image(x)",
    "the engine's line": "os.environ['ECR_WIDGETS_CHANNEL']",
    "the engine's line in a command": "!echo $ECR_WIDGETS_CHANNEL",
    "the engine's line in a script": "%%bash\nnc -U $ECR_WIDGETS_CHANNEL",
    "magics made": "from IPython.core.magic import register_line_magic",
    "not Python": "def (",
    "prompts": ">>> kit.push_image(x)\n>>> kit.wait(y)",
    "prompts of IPython": "In [1]: kit.push_image(x)\n   ...: kit.wait(y)",
    "prompts in the second line": "x = 1\n>>> kit.push_image(x)",
    "modulo in brackets": "x = (1\n%cd (kit.wait(x))\n)\n!ls",
    "modulo behind a backslash": "x = 1 \\\n%cd (kit.wait(x))\n!ls",
    "modulo in a text": 'f"""{1\n%cd (kit.wait(x))}"""\n!ls',
    "autocall": "/kit.push_image x",
    "quoting autocall": ",kit.push_image x",
    "called help": "kit.push_image(x)?",
    "other ends of lines": "!ls\u2028kit.wait(x)",
    "cell magic within": "x = 1\n%%time\nkit.wait(x)",
    "magics in magics": "%time " * 9 + "kit.wait(x)",
    "automagic": "time kit.push_image(x)",
    "nul": "1\0",
    "long": "1\n" * 25_001,
    "deep": "(" * 9999 + ")" * 9999,
    "deep sums": "-" * 49_000 + "1",
}


@pytest.mark.parametrize("case", HIDDEN)
def test_where_a_call_could_hide_is_told(case: str) -> None:
    """Each place where a call could hide is reported: evaluated text, looked-up names, a kit passed on, unreadable source."""
    assert hidden(HIDDEN[case])


@pytest.mark.parametrize("raw", [b"5", b"null", b'["a", 1]', b'{"a": 1}', b'"\\ud800"', b'"\xff"'])
def test_a_source_that_is_no_text_hides_a_call(raw: bytes) -> None:
    """A source that is not text is reported as a place where a call could hide, because front ends read it differently."""
    assert read_source(raw).hidden == "its source is no text"


def test_every_call_of_the_kit_that_leaves_a_record_is_a_step() -> None:
    """The audit knows every call of the kit that leaves a record, and the record's name."""
    calls = {
        name: made.step for part in (Kit, RepositorySteps, Layer0Steps) for name, made in inspect.getmembers(part)
        if hasattr(made, "step")
    }  # fmt: skip
    # A wait may be followed by a rollback, so it is a method of its own.
    assert calls.keys() | {"wait"} == STEPS
    for name, step in calls.items():
        assert step.step in records_of_call(name)
        assert step.step in read_source(json.dumps(f"kit.{name}(x)").encode()).may_hold


def test_a_cell_may_hold_what_its_calls_leave_and_nothing_else() -> None:
    """A cell may hold just the records that its calls leave: a wait also a rollback, an unknown step its own name."""
    held = read_source(b'"kit.wait(x); runs.verify(); kit.move_mountain()"').may_hold
    assert {"wait", "rollback", "verify_seals", "move_mountain"} <= held
    assert "push_image" not in held


@given(st.text(max_size=60) | st.text("kit.wait()\n%!?{}'\"# =", max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_told(text: str) -> None:
    """Reading any text as a cell's source never raises."""
    source = read_source(json.dumps(text).encode())
    calls_in(source, frozenset(("kit",)))
    hidden_in(source, frozenset(("kit",)))


def test_a_cell_of_many_magics_takes_no_longer_for_each() -> None:
    """A cell of ten thousand magics is read in one pass, although IPython reads the whole cell again for each magic."""
    found = read_source(json.dumps("!ls\n" * 10_000 + "kit.wait(x)").encode())
    assert calls_in(found, frozenset(("kit",))) == ("wait",)
    assert found.hidden is None


def test_what_is_told_of_a_source_is_short() -> None:
    """A reason stays short, however long the names in the source are."""
    for source in (
        "%" + "m" * 9999,
        "kit." + "_p" * 9999,
        "k" * 9999 + " = connect()\nf(" + "k" * 9999 + ")",
    ):
        assert len(hidden(source) or "x" * 999) < 150
