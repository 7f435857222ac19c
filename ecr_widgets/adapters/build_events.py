"""The output of BuildKit's client during a build, as our own progress; the log is kept for the error.

With `--progress=rawjson` the client writes JSON objects: one per line since buildx 0.29, indented over many lines in
0.13. After them comes text for people; an older plug-in writes only text.

Source: BuildKit, package client, SolveStatus.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import deque
from contextlib import suppress
from typing import Any

from ecr_widgets.adapters.registry_protocol import shortened
from ecr_widgets.model.text import visible
from ecr_widgets.ports import Progress, ProgressSink

_KEPT_LOG_LINES = 1000
_PLAIN = re.compile(r"#\d+ (?:\d+\.\d+ )?")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = re.compile(r"ERROR: |error: |failed to solve|unknown flag: ")
_PREFIXES = re.compile(
    r"^(?:ERROR: |error: |failed to build: |failed to solve(?: with frontend \S+)?: |failed to build LLB: )+"
)


class BuildEvents:
    """Reads the client's output, line by line."""

    def __init__(self, progress: ProgressSink) -> None:
        self._progress = progress
        self._log: deque[str] = deque(maxlen=_KEPT_LOG_LINES)
        self._begun: set[str] = set()
        self._open: list[str] = []
        """Lines of an object that is not complete yet."""
        self._last = Progress("build", "sending the context")
        self._error = ""
        progress(self._last)

    @property
    def log(self) -> tuple[str, ...]:
        """The newest lines of output, including those of the error."""
        return tuple(self._log)

    @property
    def error(self) -> str:
        """Why the build failed; empty if the builder gave no reason."""
        return self._error or (self._log[-1] if self._log else "")

    def go_on(self) -> None:
        """Report the last progress again, so that the watcher can stop the build."""
        self._progress(self._last)

    def add_json(self, line: str) -> None:
        """Read a line of JSON, or of the text after it."""
        # No line within an object starts like an error.
        if (not self._open and not line.startswith("{")) or _ERROR.match(line):
            self._open.clear()
            self.add_plain(line)
            return
        self._open.append(line)
        # An indented object ends at the only closing brace without an indent.
        if len(self._open) == 1 or line == "}":
            with suppress(ValueError):
                status = json.loads("\n".join(self._open))
                self._open.clear()
                self._add_status(status)

    def add_plain(self, line: str) -> None:
        """Read a line of text."""
        text = _COLOURS.sub("", _PLAIN.sub("", line, count=1)).rstrip()
        if not text:
            return
        self._log.append(text)
        if _ERROR.match(text):
            self._error = _PREFIXES.sub("", text)
        self._tell(Progress("build", shortened(visible(text))))

    def _add_status(self, status: Any) -> None:
        if not isinstance(status, dict):
            return
        for vertex in _objects(status, "vertexes"):
            name, digest = str(vertex.get("name") or ""), str(vertex.get("digest"))
            if vertex.get("started") and digest not in self._begun and not name.startswith("[internal]"):
                self._begun.add(digest)
                self._log.append(name)
                self._tell(Progress("build", shortened(visible(name))))
        for each in _objects(status, "statuses"):
            done, total = each.get("current"), each.get("total")
            if isinstance(done, int) and done > 0:
                total = total if isinstance(total, int) and total >= done else None
                self._progress(Progress(str(each.get("id") or "build"), "transferring", done, total, "bytes"))
        for each in _objects(status, "logs"):
            with suppress(binascii.Error, ValueError):
                for text in (
                    base64.b64decode(str(each.get("data") or "")).decode(errors="replace").splitlines()
                ):
                    if text.strip():
                        self._log.append(_COLOURS.sub("", text))
                        self._tell(Progress("build", shortened(visible(self._log[-1]))))

    def _tell(self, observed: Progress) -> None:
        self._last = observed
        self._progress(observed)


def _objects(status: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = status.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
