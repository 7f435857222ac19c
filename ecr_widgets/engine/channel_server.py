"""The engine's end of the private line: a thread that answers the kernel."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

from ecr_widgets.channel import short_path
from ecr_widgets.engine.saved_run import CannotSave


class ChannelServer:
    """Listens on a Unix socket in the kernel's private folder.

    Args:
        announce: Puts a record into the running cell; it is on disk when this returns.

        conclude: Replaces an announced record with its outcome.

        learn_secret: Registers a secret.

        need_to_end: Called with the seconds that the cell needs to end if it is interrupted.
    """

    def __init__(
        self,
        address: Path,
        *,
        announce: Callable[[str, Mapping[str, Any]], None],
        conclude: Callable[[str, Mapping[str, Any]], None],
        learn_secret: Callable[[str], None],
        need_to_end: Callable[[float], None],
    ) -> None:
        self._announce = announce
        self._conclude = conclude
        self._learn_secret = learn_secret
        self._need_to_end = need_to_end
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_path(address) as path:
            self._socket.bind(path)
        self._socket.listen()

    def __enter__(self) -> ChannelServer:
        Thread(target=self._accept, name="ecr-widgets channel", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Wakes the accepting thread, which a close alone does not.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        # Closed with this thread, however it ends: a kernel would wait for ever on a line that nobody takes.
        with contextlib.suppress(OSError, MemoryError), self._socket:
            while True:
                line, _ = self._socket.accept()
                own = Thread(target=self._serve, args=(line,), name="ecr-widgets channel line", daemon=True)
                try:
                    own.start()
                except (RuntimeError, MemoryError):
                    # No further thread can be started: nearly always this line, the kernel's, is the only one.
                    self._serve(line)

    def _serve(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as messages, contextlib.suppress(OSError):
            for message in messages:
                line.sendall(json.dumps(self._answer(message)).encode() + b"\n")

    def _answer(self, message: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(message)
            if asked["kind"] == "announce":
                self._announce(asked["display_id"], asked["bundle"])
            elif asked["kind"] == "conclude":
                self._conclude(asked["display_id"], asked["bundle"])
            elif asked["kind"] == "secret":
                self._learn_secret(asked["secret"])
            elif asked["kind"] == "end":
                self._need_to_end(float(asked["duration_s"]))
            else:
                return {"ok": False, "error": "not a message of this line"}
        except (CannotSave, OSError, ValueError, KeyError, TypeError) as error:
            return {"ok": False, "error": str(error)}
        return {"ok": True}
