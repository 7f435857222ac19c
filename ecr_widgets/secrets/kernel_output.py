"""Masks secrets in everything that a kernel sends, so that a notebook saved by JupyterLab is clean too.

All of a kernel's messages pass through one method of its session: streams, displays, results, errors, widget state. A secret
may come in two pieces, so a stream's end that may be the start of one is held back until the next text shows whether it is.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any

from ecr_widgets.secrets.redaction import SecretRegistry


def guard_kernel_output(kernel: Any, known: SecretRegistry) -> None:
    """Pass everything that the kernel sends through the registry; a second call for the kernel adds another registry.

    Args:
        kernel: An `ipykernel` kernel, whose session all its outputs share.
    """
    session = kernel.session
    if isinstance(session.send, _GuardedSend):
        session.send.registries.append(known)
    else:
        session.send = _GuardedSend(session.send, known)


_FURTHER = ("parent", "ident", "buffers", "track", "header", "metadata")
"""What may follow a message's type and content, in this order."""


class _GuardedSend:
    """Replaces `Session.send`, which is given a whole message, or its type and content with further arguments."""

    def __init__(self, send: Callable[..., Any], known: SecretRegistry) -> None:
        self.registries = [known]
        self._send = send
        self._held: dict[str, tuple[str, Callable[[str], Any]]] = {}
        # Streams are sent from another thread than other messages.
        self._lock = RLock()

    def __call__(self, stream: Any, msg_or_type: Any, content: Any = None, *args: Any, **kwargs: Any) -> Any:
        whole = not isinstance(msg_or_type, str)
        kind = msg_or_type["header"]["msg_type"] if whole else msg_or_type
        original = msg_or_type["content"] if whole else content
        further = dict(zip(_FURTHER, args, strict=False)) | kwargs
        if further.get("metadata"):
            further["metadata"] = self._clean(further["metadata"])
        if further.get("buffers"):
            further["buffers"] = [self._clean_bytes(each) for each in further["buffers"]]

        def send(clean: Any) -> Any:
            if whole:
                message = {**msg_or_type, "content": clean}
                if "metadata" in message:
                    message["metadata"] = self._clean(message["metadata"])
                return self._send(stream, message, content, **further)
            return self._send(stream, kind, clean, **further)

        with self._lock:
            if kind == "stream":
                return self._stream(
                    original["name"], original["text"], lambda text: send({**original, "text": text})
                )
            for text, send_text in self._held.values():
                send_text(self._clean(text))
            self._held.clear()
            return send(self._clean(original))

    def _stream(self, name: str, text: str, send: Callable[[str], Any]) -> Any:
        text = self._held.pop(name, ("", send))[0] + text
        shown = min(known.safe_length(text) for known in self.registries)
        if shown < len(text):
            self._held[name] = text[shown:], send
        return send(self._clean(text[:shown])) if shown else None

    def _clean_bytes(self, buffer: Any) -> Any:
        content = memoryview(buffer).tobytes()
        clean = content
        for known in self.registries:
            clean = known.redact_bytes(clean)
        return buffer if clean == content else clean

    def _clean(self, value: Any) -> Any:
        for known in self.registries:
            value = known.redact_values(value)
        return value
