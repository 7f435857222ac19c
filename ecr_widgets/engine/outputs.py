"""Kernel messages as a cell's outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecr_widgets.model.record import RECORD_MIME
from ecr_widgets.saved_runs.writing import marked, unmarked

LONGEST_STREAM = 1_000_000
"""Characters of a cell's stdout, and of its stderr, that are kept; beyond that, only the end and a hash of the whole."""
LONGEST_DISPLAY = 5_000_000
"""Characters of one display that are kept."""
LONGEST_DISPLAYS = 20_000_000
"""Characters of all displays of a cell that are kept; records are always kept."""
_KEPT_END = 20_000
_OUTPUT_COST = 100
"""Characters that each further output counts in addition to its content."""


@dataclass
class _Flood:
    """A stream that has exceeded what is kept."""

    output: dict[str, Any]
    head: str
    end: str = ""
    length: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)

    def add(self, text: str) -> None:
        """Add more of the stream."""
        self.length += len(text)
        # In pieces, because one message may be very large, and encoding it whole would copy all of it.
        for at in range(0, len(text), LONGEST_STREAM):
            self.sha256.update(text[at : at + LONGEST_STREAM].encode("utf-8", "surrogatepass"))
        self.end = (self.end + text[-_KEPT_END:])[-_KEPT_END:]

    def shown(self) -> str:
        """The text shown for the stream so far."""
        cut = self.length - len(self.head) - len(self.end)
        if cut <= 0:
            return self.head + self.end[len(self.end) - (self.length - len(self.head)) :]
        return (
            f"{self.head}\n[… {cut} characters cut; all {self.length} have the SHA-256 "
            f"{self.sha256.hexdigest()} …]\n{self.end}"
        )


class Outputs:
    """Puts outputs into the running cell, and updates displays in all cells."""

    def __init__(self) -> None:
        self._cell: list[dict[str, Any]] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._own: dict[str, dict[str, Any]] = {}
        """Displays of the records that came over the engine's own line, by display id."""
        self._heard: dict[str, list[Any]] = {}
        """Records of these displays, by display id: an intent, then an outcome."""
        self._clear_next = False
        self._floods: dict[str, _Flood] = {}
        self._streamed: dict[str, int] = {}
        self._displayed = 0
        self._dropped: dict[str, Any] | None = None
        self._dropped_count = 0

    def start_cell(self, outputs: list[dict[str, Any]]) -> None:
        """Put the following outputs into another cell."""
        self._cell = outputs
        self._clear_next = False
        self.settle()
        self._forget_sizes()

    def _forget_sizes(self) -> None:
        self._floods.clear()
        self._streamed.clear()
        self._displayed, self._dropped, self._dropped_count = 0, None, 0

    def settle(self) -> None:
        """Bring the outputs up to date; must be called before they are read."""
        # Not done for each message: a flood has very many.
        for flood in self._floods.values():
            flood.output["text"] = flood.shown()
        if self._dropped is not None:
            self._dropped["text"] = f"[{self._dropped_count} more displays of this cell were not kept]\n"

    def announce(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Show a record before the kernel's own message for it arrives, which then only updates it.

        A second announcement replaces the record in its place.

        Raises:
            ValueError: The outcome is already known.
        """
        if display_id in self._own:
            if len(self._heard[display_id]) > 1:
                raise ValueError("the step of this record has ended")
            self._own[display_id]["data"] = dict(bundle)
            self._heard[display_id] = [bundle.get(RECORD_MIME)]
            return
        own = {"output_type": "display_data", "data": dict(bundle), "metadata": marked()}
        self._own[display_id] = own
        self._heard[display_id] = [bundle.get(RECORD_MIME)]
        self._show(own, display_id)

    def conclude(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Replace a record with its outcome; later displays by cells are ignored.

        Raises:
            KeyError: No such record was announced.
        """
        own = self._own[display_id]
        own["data"], own["metadata"] = dict(bundle), marked()
        self._heard[display_id].append(bundle.get(RECORD_MIME))

    def own_records(self, content: Mapping[str, Any]) -> list[Any]:
        """Records that came over the engine's own line for a message's display: an intent, then an outcome; usually none."""
        return self._heard.get(content.get("transient", {}).get("display_id"), [])

    def _progress(self, display_id: str, content: Mapping[str, Any]) -> bool:
        """Show a step's progress, but only if the display still holds the record that came over the engine's own line."""
        own, data = self._own[display_id], content["data"]
        if len(self._heard[display_id]) > 1 or data.get(RECORD_MIME) != own["data"].get(RECORD_MIME):
            return False
        own["data"] = _kept(data)
        own["metadata"] = marked(content["metadata"])
        return True

    def take(self, kind: str, content: Mapping[str, Any]) -> bool:
        """Apply one iopub message; True if an output changed."""
        display_id = content.get("transient", {}).get("display_id")
        if kind == "stream":
            self._stream(content["name"], content["text"])
        elif display_id in self._own and "data" in content:
            return self._progress(display_id, content)
        elif kind in ("update_display_data", "display_data", "execute_result"):
            self._display(kind, content, display_id)
        elif kind == "error":
            self._append(
                {
                    "output_type": "error",
                    "ename": content["ename"],
                    "evalue": _cut(content["evalue"], LONGEST_STREAM),
                    "traceback": _cut_lines(content["traceback"]),
                }
            )
        elif kind == "clear_output":
            self._clear_next = bool(content["wait"])
            if not self._clear_next:
                self._clear()
        else:
            return False
        return True

    def _display(self, kind: str, content: Mapping[str, Any], display_id: str | None) -> None:
        # All outputs with one id are one display.
        for shown in self._displays.get(display_id or "", ()):
            shown["data"], shown["metadata"] = _kept(content["data"]), unmarked(content["metadata"])
        if kind == "display_data":
            self._show(_display(kind, content), display_id)
        elif kind == "execute_result":
            self._show(_display(kind, content) | {"execution_count": content["execution_count"]}, display_id)

    def _show(self, output: dict[str, Any], display_id: str | None) -> None:
        size = 0 if RECORD_MIME in output["data"] else _size(output["data"]) + _OUTPUT_COST
        if self._displayed + size > LONGEST_DISPLAYS and not self._clear_next:
            self._dropped_count += 1
            if self._dropped is None:
                self._dropped = {"output_type": "stream", "name": "stderr", "text": ""}
                self._append(self._dropped)
            return
        self._append(output)
        self._displayed += size
        if display_id is not None:
            self._displays.setdefault(display_id, []).append(output)

    def _clear(self) -> None:
        # A record is evidence; and an announced one may arrive before an earlier request of its cell to clear the output.
        self._cell[:] = [output for output in self._cell if RECORD_MIME in output.get("data", ())]
        self._forget_sizes()

    def _append(self, output: dict[str, Any]) -> None:
        if self._clear_next:
            self._clear()
            self._clear_next = False
        self._cell.append(output)

    def _stream(self, name: str, text: str) -> None:
        if self._clear_next:
            self._clear()
            self._clear_next = False
        # Once a stream has flooded, all its text goes there; else two alternating streams would be kept whole.
        if (flood := self._floods.get(name)) is not None:
            flood.add(text)
            return
        last = self._cell[-1] if self._cell else None
        spent = self._streamed.get(name, 0)
        if last is None or last is self._dropped or last["output_type"] != "stream" or last["name"] != name:
            last = {"output_type": "stream", "name": name, "text": ""}
            self._append(last)
            spent += _OUTPUT_COST if name in self._streamed else 0
        room = LONGEST_STREAM - spent
        self._streamed[name] = spent + len(text)
        if len(text) <= room:
            last["text"] += text
            return
        flood = _Flood(last, head=last["text"] + text[: max(0, room)])
        flood.add(last["text"])
        flood.add(text)
        self._floods[name] = flood


def _display(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"output_type": kind, "data": _kept(content["data"]), "metadata": unmarked(content["metadata"])}


def _kept(data: Mapping[str, Any]) -> dict[str, Any]:
    """A display's data by type; if it is too large, what can be kept of it."""
    if RECORD_MIME in data or _size(data) <= LONGEST_DISPLAY:
        return dict(data)
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    for mime, value in data.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if mime == "text/plain":
            kept[mime] = _cut(text, LONGEST_STREAM)
        elif len(text) <= LONGEST_STREAM:
            kept[mime] = value
        else:
            # A truncated picture or page cannot be shown, so it is dropped.
            left_out.append(f"[{mime} of {len(text)} characters was not kept; SHA-256 {_sha256(text)}]")
    if left_out:
        kept["text/plain"] = "\n".join([*([kept["text/plain"]] if "text/plain" in kept else []), *left_out])
    return kept


def _size(data: Mapping[str, Any]) -> int:
    return sum(len(value if isinstance(value, str) else json.dumps(value)) for value in data.values())


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest + _KEPT_END:
        return text
    flood = _Flood({}, head=text[:longest])
    flood.add(text)
    return flood.shown()


def _cut_lines(lines: Iterable[str]) -> list[str]:
    """A traceback, shortened if it is too long."""
    kept = list(lines)
    longest = LONGEST_STREAM // max(1, len(kept))
    return kept if sum(map(len, kept)) <= LONGEST_STREAM else [_cut(line, longest) for line in kept]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
