"""Kernel messages as outputs of a cell."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LONGEST_STREAM = 1_000_000
"""Characters of one stream output that are kept; of what comes after, the end and the hash of all."""
_KEPT_END = 20_000


@dataclass
class _Flood:
    """A stream that grew beyond what is kept."""

    output: dict[str, Any]
    head: str
    end: str = ""
    length: int = 0
    sha256: Any = field(default_factory=hashlib.sha256)

    def add(self, text: str) -> None:
        """Take more of the stream."""
        self.length += len(text)
        self.sha256.update(text.encode("utf-8", "surrogatepass"))
        self.end = (self.end + text)[-_KEPT_END:]

    def shown(self) -> str:
        """What is shown of the stream so far."""
        cut = self.length - len(self.head) - len(self.end)
        if cut <= 0:
            return self.head + self.end[len(self.end) - (self.length - len(self.head)) :]
        return (
            f"{self.head}\n[… {cut} characters cut; all {self.length} have the SHA-256 "
            f"{self.sha256.hexdigest()} …]\n{self.end}"
        )


class Outputs:
    """Puts outputs into the cell that runs, and updates displays wherever they stand."""

    def __init__(self) -> None:
        self._cell: list[dict[str, Any]] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._announced: set[str] = set()
        self._clear_next = False
        self._floods: dict[int, _Flood] = {}

    def start_cell(self, outputs: list[dict[str, Any]]) -> None:
        """Send what follows to another cell."""
        self._cell = outputs
        self._clear_next = False
        self.settle()
        self._floods.clear()

    def settle(self) -> None:
        """Bring the outputs up to what was taken; to be called before they are read."""
        # Not with each message: a flood has very many.
        for flood in self._floods.values():
            flood.output["text"] = flood.shown()

    def announce(self, display_id: str, bundle: Mapping[str, Any]) -> None:
        """Show a display ahead of the kernel's own message for it, which then finds its place taken."""
        self._announced.add(display_id)
        self._show({"output_type": "display_data", "data": dict(bundle), "metadata": {}}, display_id)

    def take(self, kind: str, content: Mapping[str, Any]) -> bool:
        """Apply one iopub message; True where an output changed."""
        display_id = content.get("transient", {}).get("display_id")
        if kind == "stream":
            self._stream(content["name"], content["text"])
        elif kind == "update_display_data" or (kind == "display_data" and display_id in self._announced):
            self._announced.discard(display_id)
            for shown in self._displays.get(display_id, ()):
                shown["data"], shown["metadata"] = dict(content["data"]), dict(content["metadata"])
        elif kind == "display_data":
            self._show(_display(kind, content), display_id)
        elif kind == "execute_result":
            self._show(_display(kind, content) | {"execution_count": content["execution_count"]}, display_id)
        elif kind == "error":
            self._append(
                {"output_type": "error", **{k: content[k] for k in ("ename", "evalue", "traceback")}}
            )
        elif kind == "clear_output":
            self._clear_next = bool(content["wait"])
            if not self._clear_next:
                self._cell.clear()
        else:
            return False
        return True

    def _show(self, output: dict[str, Any], display_id: str | None) -> None:
        self._append(output)
        if display_id is not None:
            self._displays.setdefault(display_id, []).append(output)

    def _append(self, output: dict[str, Any]) -> None:
        if self._clear_next:
            self._cell.clear()
            self._clear_next = False
        self._cell.append(output)

    def _stream(self, name: str, text: str) -> None:
        last = self._cell[-1] if self._cell and not self._clear_next else None
        if last is None or last["output_type"] != "stream" or last["name"] != name:
            last = {"output_type": "stream", "name": name, "text": ""}
            self._append(last)
        flood = self._floods.get(id(last))
        if flood is None and len(last["text"]) + len(text) > LONGEST_STREAM:
            flood = _Flood(last, head=(last["text"] + text)[:LONGEST_STREAM])
            self._floods[id(last)] = flood
            text = last["text"] + text
        if flood is None:
            last["text"] += text
        else:
            flood.add(text)


def _display(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"output_type": kind, "data": dict(content["data"]), "metadata": dict(content["metadata"])}
