"""Notebooks to be run by two engines, one for each feature that a notebook can use.

papermill's own test notebooks are added if its installed package ships them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat


@dataclass(frozen=True)
class Book:
    """A notebook, and how papermill is asked to run it. `cells` are sources, or sources with their tags."""

    name: str
    cells: Sequence[str | tuple[str, str]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] | None = None
    path: Path | None = None

    def write(self, folder: Path) -> Path:
        """Write the notebook to a file."""
        if self.path is not None:
            return self.path
        made = []
        for each in self.cells:
            source, tag = (each, "") if isinstance(each, str) else each
            kind = nbformat.v4.new_raw_cell if tag == "raw" else nbformat.v4.new_code_cell
            made.append(kind(source, metadata={"tags": [tag]} if tag else {}))
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {self.name}"), *made])
        book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = folder / f"{self.name}.ipynb"
        nbformat.write(book, path)
        return path


SKIP, RAISES = "skip-execution", "raises-exception"
_DIES = "import os, time; time.sleep(0.5); os._exit(3)"
"""Late enough for the kernel to report that the cell has started; both engines note that only if it is reported."""
WIDGET = "import ipywidgets\nout = ipywidgets.Output()\nout"
SHOW = (
    "print([(o['output_type'], o.get('text') or o.get('ename') or sorted(o['data'])) for o in out.outputs])"
)

BOOKS = (
    Book("hello", ["print('hello')", "1 + 1"]),
    Book("both-streams", ["import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')"]),
    Book("unicode", ["print('☃ ß 漢 🎉 \\x00 \\u202e')", "'é'"]),
    Book("lone-surrogate", ["print(ascii('\\ud800'))"]),
    Book("empty-cells", ["", "  \n", "x = 1", "", "x"]),
    Book("raw-cell", [("1 / 0", "raw"), "print('after')"]),
    Book("result-and-print", ["print('first')\n'then'"]),
    Book("no-result", ["1;", "None", "x = 2"]),
    Book("several-results", ["from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.ast_node_interactivity = 'all'", "1\n2\n3"]),
    Book("underscore", ["41", "_ + 1", "Out[1], In[0]"]),
    Book("history-in-memory", ["get_ipython().history_manager.hist_file"]),
    Book("skip", ["print('before')", ("print('deletes')", SKIP), "print('after')"]),
    Book("skip-all", [("1 / 0", SKIP)]),
    Book("skip-parameters", [("n = 1", "parameters"), ("print(n)", SKIP), "n"], parameters={"n": 2}),
    Book("raises", ["1 / 0", "print('never')"]),
    Book("raises-tagged", [("1 / 0", RAISES), "print('after')"]),
    Book("raises-tagged-twice", [("1 / 0", RAISES), ("{}['x']", RAISES), "print('after')"]),
    Book("raises-tagged-then-not", [("1 / 0", RAISES), "{}['x']", "print('never')"]),
    Book("raises-tagged-and-does-not", [("print('well')", RAISES), "print('after')"]),
    Book("allow-errors", ["1 / 0", "print('after')"], {"allow_errors": True}),
    Book("allow-error-names", ["1 / 0", "{}['x']", "print('never')"], {"allow_error_names": ["ZeroDivisionError"]}),
    Book("force-raise", [("1 / 0", RAISES), "print('never')"], {"force_raise_errors": True}),
    Book("another-skip-tag", [("1 / 0", "no"), "print('after')"], {"skip_cells_with_tag": "no"}),
    Book("syntax-error", ["def f(:", "print('never')"]),
    Book("magic-error", ["%no_such_magic", "print('never')"]),
    Book("chained-error", ["try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('x') from e"]),
    Book("assertion", ["assert 1 == 2, 'why'"]),
    Book("keyboard-interrupt", ["raise KeyboardInterrupt", "print('never')"]),
    Book("exit-with-1", ["import sys; sys.exit(1)", "print('never')"]),
    Book("exit-with-text", ["raise SystemExit('stop')"]),
    Book("exit-with-0", ["import sys; sys.exit(0)", "print('never')"]),
    Book("kernel-dies", ["print('x', flush=True)", _DIES, "print('never')"]),
    Book("timeout", ["print('x', flush=True)\nimport time; time.sleep(60)", "print('never')"], {"execution_timeout": 1}),
    Book("no-timeout", ["print('well')"], {"execution_timeout": -1}),
    Book("input", ["input('name? ')"]),
    Book("password-input", ["import getpass; getpass.getpass()"]),
    Book("display", ["from IPython.display import display\nfor n in range(3): display(n)\nprint('x')\ndisplay('y')"]),
    Book("rich-display", ["from IPython.display import HTML, JSON, Markdown, SVG, display\ndisplay(HTML('<b>x</b>'), Markdown('*y*'), JSON({'a': [1]}), SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))"]),
    Book("image", ["from IPython.display import Image\nimport base64\nImage(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='))"]),
    Book("display-metadata", ["from IPython.display import display\ndisplay({'text/plain': 'x'}, raw=True, metadata={'text/plain': {'a': 1}})"]),
    Book("update-display", ["from IPython.display import display\nh = display('a', display_id=True)\nprint('b')", "h.update('c')\nprint('d')"]),
    Book("update-display-again", ["from IPython.display import display\ndisplay('a', display_id='x')", "display('b', display_id='x')", "from IPython.display import update_display\nupdate_display('c', display_id='x')"]),
    Book("update-unknown-display", ["from IPython.display import update_display\nupdate_display('c', display_id='never')\nprint('x')"]),
    Book("clear-output", ["from IPython.display import clear_output\nprint('a')\nclear_output()\nprint('b')"]),
    Book("clear-output-wait", ["from IPython.display import clear_output\nprint('a')\nclear_output(wait=True)\nprint('b')"]),
    Book("clear-output-wait-and-end", ["from IPython.display import clear_output\nprint('a')\nclear_output(wait=True)"]),
    Book("clear-and-update", ["from IPython.display import clear_output, display\nh = display('a', display_id=True)\nclear_output()\nh.update('b')\nprint('c')"]),
    Book("output-widget", [WIDGET, "print('cell')\nwith out:\n    print('held')\n    1 + 1\nprint('cell again')", SHOW]),
    Book("output-widget-display", [WIDGET, "from IPython.display import display\nwith out:\n    display('x')\n    print('y')\n    print('z')\ndisplay('out')", SHOW]),
    Book("output-widget-error", [WIDGET, "with out:\n    1 / 0\nprint('after')", SHOW]),
    Book("output-widget-clear", [WIDGET, "with out:\n    print('a')\nout.clear_output()\nwith out:\n    print('b')", SHOW]),
    Book("output-widget-clear-wait", [WIDGET, "with out:\n    print('a')\n    out.clear_output(wait=True)\n    print('b')", SHOW]),
    Book("output-widgets-nested", [WIDGET, "inner = ipywidgets.Output()\nwith out:\n    print('a')\n    with inner:\n        print('b')\n    print('c')", SHOW, SHOW.replace("out.outputs", "inner.outputs")]),
    Book("output-widget-capture", [WIDGET, "@out.capture()\ndef f():\n    print('held')\nf()\nprint('free')", SHOW]),
    Book("widgets", ["import ipywidgets\nbox = ipywidgets.VBox([ipywidgets.IntSlider(value=3), ipywidgets.Text('t')])\nbox", "box.children[0].value = 5"]),
    Book("widget-with-bytes", ["import ipywidgets\nipywidgets.Image(value=b'\\x00\\xff', format='png')"]),
    Book("other-comm", ["from comm import create_comm\nc = create_comm(target_name='x', data={'a': 1})\nc.send({'b': 2})\nprint('x')"]),
    Book("shell", ["!echo from the shell", "%%bash\necho out\necho err >&2"]),
    Book("magics", ["%%capture held\nprint('x')", "held.stdout", "%cd -q /\n", "import os; os.getcwd()"]),
    Book("async", ["import asyncio\nawait asyncio.sleep(0)\n'done'"]),
    Book("thread", ["import threading\nt = threading.Thread(target=lambda: print('from a thread'))\nt.start(); t.join()"]),
    Book("subprocess", ["import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(1)'], check=True)"]),
    Book("warning", ["import warnings\nwarnings.warn('careful')"]),
    Book("logging", ["import logging\nlogging.getLogger().warning('careful')"]),
    Book("carriage-returns", ["print('10%\\r20%\\rdone')\nprint('ab\\bc')"]),
    Book("many-lines", ["for n in range(3000): print(n)"]),
    Book("parameters", [("a = 1\nb = 'x'", "parameters"), "print(a, b)"], parameters={"a": 5, "b": "it's"}),
    Book("parameters-without-a-cell", ["print(a)"], parameters={"a": [1, {"b": None}]}),
    Book("report-mode", ["print('x')"], {"report_mode": True}),
    Book("prepare-only", ["print('x')"], {"prepare_only": True}),
    Book("user-expressions", ["__name__", "sorted(name for name in dir() if not name.startswith('_'))"]),
    Book("matplotlib-inline", ["%config InlineBackend\n'x'"]),
)  # fmt: skip
_SLOW = ("keyboard_interrupt",)
"""papermill's notebooks that sleep for a minute."""
_ALL = ("exit code", "counts", "outputs", "sources", "hidden", "widgets", "language")
_EXIT_0 = (("exit code",), "a run did not succeed where an exit with 0 kept cells from being run")
DIFFERENT: Mapping[str, tuple[Sequence[str], str]] = {
    "exit-with-0": _EXIT_0,
    "papermill-sysexit": _EXIT_0,
    "papermill-sysexit0": _EXIT_0,
    "papermill-systemexit": _EXIT_0,
    "kernel-dies": (
        ("language",),
        "the kernel's language is noted at the start, and papermill notes it at the end",
    ),
    "timeout": (
        ("sources", "language"),
        "papermill is told which cell failed, and marks it",
    ),
    "papermill-notimplemented_translator": (_ALL, "its cells are R, and the engine runs Python"),
}
"""What this engine does differently on purpose, and why."""


def papermills_own() -> tuple[Book, ...]:
    """Papermill's test notebooks, where the package ships them."""
    folder = Path(str(files("papermill"))) / "tests" / "notebooks"
    return tuple(
        Book(f"papermill-{path.stem}", path=path)
        for path in sorted(folder.glob("*.ipynb"))
        if path.stem not in _SLOW
    )
