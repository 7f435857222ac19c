"""The engine's lines to its kernel: Jupyter's messaging protocol 5, as far as a run needs it.

jupyter_client speaks it for clients of every kind; importing it costs a short run a tenth of its processor time.

Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import zmq

from ecr_widgets.model.times import to_rfc3339

Message = Mapping[str, Any]
"""`msg_type`, `parent_header`, `content` and `buffers`."""
_DELIMITER = b"<IDS|MSG>"
_VERSION = "5.3"
_RECONNECT_MS = 5
"""How soon to try again to reach a kernel that does not listen yet; ZeroMQ's default is up to 200 ms."""


class KernelLines:
    """Requests to a kernel, its replies, and its outputs.

    Args:
        connection: What the kernel's connection file says.
    """

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._key = str(connection["key"]).encode()
        self._session = secrets.token_hex(16)
        self._context = zmq.Context()
        self._context.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        self._shell = self._connected(connection, "shell_port", zmq.DEALER)
        self._control = self._connected(connection, "control_port", zmq.DEALER)
        self._iopub = self._connected(connection, "iopub_port", zmq.SUB)
        self._iopub.subscribe(b"")

    def _connected(self, connection: Mapping[str, Any], name: str, kind: int) -> zmq.Socket[bytes]:
        made = self._context.socket(kind)
        apart = "-" if connection["transport"] == "ipc" else ":"
        made.connect(f"{connection['transport']}://{connection['ip']}{apart}{connection[name]}")
        return made

    def execute(self, source: str) -> str:
        """Send a cell to be run; returns the request's id."""
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        return self.send("execute_request", content)

    def send(self, kind: str, content: Mapping[str, Any]) -> str:
        """Send a message that needs no answer, or whose reply comes later; returns its id."""
        return self._send(self._shell, kind, content)

    def ask_to_end(self) -> None:
        """Ask the kernel to shut down."""
        self._send(self._control, "shutdown_request", {"restart": False})

    def reply(self, timeout_s: float) -> Message | None:
        """The next reply to a request; None if none comes in time."""
        return self._received(self._shell, timeout_s)

    def output(self, timeout_s: float) -> Message | None:
        """The next output or state; None if none comes in time."""
        return self._received(self._iopub, timeout_s)

    def close(self) -> None:
        """Close all lines; what is not sent by now is dropped."""
        self._context.destroy(linger=0)

    def _send(self, line: zmq.Socket[bytes], kind: str, content: Mapping[str, Any]) -> str:
        message_id = secrets.token_hex(16)
        header = {
            "msg_id": message_id,
            "msg_type": kind,
            "session": self._session,
            "username": "",
            "date": to_rfc3339(datetime.now(UTC)),
            "version": _VERSION,
        }
        parts = [json.dumps(each).encode() for each in (header, {}, {}, content)]
        line.send_multipart([_DELIMITER, self._signature(parts), *parts])
        return message_id

    def _received(self, line: zmq.Socket[bytes], timeout_s: float) -> Message | None:
        if not line.poll(round(timeout_s * 1000)):
            return None
        frames = line.recv_multipart()
        # What is torn, or not signed with the kernel's key, is no message of the kernel.
        with contextlib.suppress(ValueError):
            # In front of the delimiter is a topic or an address.
            _, signature, *parts = frames[frames.index(_DELIMITER) :]
            if hmac.compare_digest(signature, self._signature(parts[:4])):
                header, parent, _, content = (json.loads(each.decode(errors="replace")) for each in parts[:4])
                return {
                    "msg_type": header["msg_type"],
                    "parent_header": parent,
                    "content": content,
                    "buffers": parts[4:],
                }
        return None

    def _signature(self, parts: Sequence[bytes]) -> bytes:
        return hmac.new(self._key, b"".join(parts), hashlib.sha256).hexdigest().encode()
