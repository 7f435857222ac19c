"""A run's widgets: their state for the saved notebook, and what Output widgets capture, as in a front end.

Source: Jupyter's widget messaging protocol, version 2; the Output widget as nbclient's `OutputWidget` implements it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.engine.outputs import Outputs

STATE_MIME = "application/vnd.jupyter.widget-state+json"
LARGEST_STATE = 20_000_000
"""Characters of state that are kept for all widgets together."""
_OUTPUT_MODEL = ("@jupyter-widgets/output", "OutputModel")
_PASSWORD_MODEL = "PasswordModel"  # noqa: S105 -- the name of a widget's class


class _Capture:
    """The outputs of one Output widget."""

    def __init__(self, outputs: Sequence[dict[str, Any]]) -> None:
        self.outputs = list(outputs)
        self.sink = Outputs()
        self.sink.start_cell(self.outputs)

    def replace(self, outputs: Sequence[dict[str, Any]]) -> None:
        """Replace the outputs with those that the kernel reports."""
        self.sink.settle()
        self.outputs[:] = outputs
        self.sink.start_cell(self.outputs)


class Widgets:
    """All widgets of a run."""

    def __init__(self) -> None:
        self._states: dict[str, dict[str, Any]] = {}
        self._buffers: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self._sizes: dict[str, int] = {}
        self._captures: dict[str, _Capture] = {}
        self._capturing: dict[str, list[str]] = {}
        self._changed: set[str] = set()

    def take(self, kind: str, content: Mapping[str, Any], buffers: Sequence[Any]) -> bool:
        """Apply one message on a widget's comm; False if its state is too large to be kept."""
        comm = content["comm_id"]
        if kind == "comm_close":
            for held in (self._states, self._buffers, self._sizes, self._captures):
                held.pop(comm, None)
            return True
        data = content.get("data") or {}
        state = data.get("state")
        if not isinstance(state, dict):
            return True
        if kind == "comm_open" and content.get("target_name") == "jupyter.widget":
            self._states[comm] = {}
            if (state.get("_model_module"), state.get("_model_name")) == _OUTPUT_MODEL:
                self._captures[comm] = _Capture(())
        capture = self._captures.get(comm)
        if capture is not None:
            if "msg_id" in state:
                self._follow(comm, state["msg_id"])
            if "outputs" in state:
                capture.replace(state["outputs"])
        return self._keep(comm, state, data.get("buffer_paths") or (), buffers)

    def _keep(
        self, comm: str, state: Mapping[str, Any], paths: Sequence[Sequence[Any]], buffers: Sequence[Any]
    ) -> bool:
        kept = self._states.get(comm)
        if kept is None:
            return True
        kept |= state
        for path, buffer in zip(paths, buffers, strict=False):
            data = base64.b64encode(buffer).decode()
            self._buffers.setdefault(comm, {})[tuple(path)] = {
                "data": data,
                "encoding": "base64",
                "path": path,
            }
        held = self._buffers.get(comm, {}).values()
        self._sizes[comm] = len(json.dumps(kept, default=str)) + sum(len(each["data"]) for each in held)
        if sum(self._sizes.values()) <= LARGEST_STATE:
            return True
        for each in (self._states, self._buffers, self._sizes):
            each.pop(comm, None)
        return False

    def _follow(self, comm: str, request: str) -> None:
        """Have the widget capture the request's outputs, or stop capturing if the request is empty."""
        for waiting in self._capturing.values():
            if comm in waiting:
                waiting.remove(comm)
        if request:
            self._capturing.setdefault(request, []).append(comm)

    def capture(self, request: str, kind: str, content: Mapping[str, Any]) -> bool:
        """Pass an output to the Output widget that captures the request's outputs; False if none does."""
        waiting = self._capturing.get(request)
        capture = self._captures.get(waiting[-1]) if waiting else None
        if waiting is None or capture is None:
            return False
        if capture.sink.take(kind, content):
            self._changed.add(waiting[-1])
        return True

    def sync(self, client: Any) -> None:
        """Send the kernel the current outputs of its Output widgets, which its cells may read."""
        for comm in sorted(self._changed & set(self._captures)):
            capture = self._captures[comm]
            capture.sink.settle()
            state = {"outputs": capture.outputs}
            content = {"comm_id": comm, "data": {"method": "update", "state": state, "buffer_paths": []}}
            client.shell_channel.send(client.session.msg("comm_msg", content=content))
        self._changed.clear()

    def state(self) -> dict[str, Any] | None:
        """The state of all widgets as in a notebook's metadata; None if there is none.

        Passwords are left out: once saved, they could not be recognised as passwords.
        """
        models: dict[str, Any] = {}
        for comm, state in self._states.items():
            if "_model_name" not in state:
                continue
            capture = self._captures.get(comm)
            if capture is not None:
                capture.sink.settle()
                state["outputs"] = capture.outputs
            hidden = {"value": ""} if state["_model_name"] == _PASSWORD_MODEL else {}
            models[comm] = {
                "model_name": state["_model_name"],
                "model_module": state.get("_model_module"),
                "model_module_version": state.get("_model_module_version"),
                "state": state | hidden,
            }
            if comm in self._buffers:
                models[comm]["buffers"] = list(self._buffers[comm].values())
        if not models:
            return None
        return {STATE_MIME: {"state": models, "version_major": 2, "version_minor": 0}}
