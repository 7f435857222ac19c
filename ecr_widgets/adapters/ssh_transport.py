"""HTTP to an engine by ssh, as the docker command does it: the user's own ssh starts `docker system dial-stdio` there.

docker-py's own way waits for ever for a connection that went silent, starts one for each call, and lets ssh write to stderr.
Source: docker/cli, cli/connhelper.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import tempfile
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests.adapters
import urllib3
import urllib3.connection

_END_S = 1
"""Longest wait for an ssh that was asked to end, in seconds."""
_MOST_WORDS = 50
"""Of what ssh said, the last ones: some hosts greet with pages of text before."""


class SshAdapter(requests.adapters.HTTPAdapter):
    """Sends all requests of a session to the engine at one address, `ssh://user@host:port/path/of/its/socket`."""

    def __init__(self, address: str) -> None:
        self._pool = _Pool(_words(address))
        super().__init__()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> Any:
        """The one pool, whatever a request's URL."""
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """Only the path: no proxy is on the way."""
        return str(request.path_url)

    def close(self) -> None:
        """End the connections that are kept."""
        super().close()
        self._pool.close()


def _words(address: str) -> list[str]:
    parts = urlsplit(address)
    # Not `parts.hostname`, which is in small letters: the user's ssh configuration may not be.
    place = parts.netloc.rpartition("@")[2]
    host = place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]
    far = ["docker", *(("--host", f"unix://{parts.path}") if parts.path else ()), "system", "dial-stdio"]
    return [
        *("ssh", "-T"),
        *(("-l", parts.username) if parts.username else ()),
        *(("-p", str(parts.port)) if parts.port else ()),
        *("--", host, shlex.join(far)),
    ]


class _Pool(urllib3.HTTPConnectionPool):
    def __init__(self, words: list[str]) -> None:
        super().__init__("localhost", maxsize=4)
        self._words = words

    def _new_conn(self) -> Any:
        return _Connection(self._words)


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, words: list[str]) -> None:
        super().__init__("localhost")
        self._words = words

    def connect(self) -> None:
        """Start ssh, which connects."""
        self._line = self.sock = _Line(self._words)
        self.sock.settimeout(self.timeout)

    def getresponse(self) -> Any:
        """The engine's answer.

        Raises:
            ConnectionError: ssh ended without one; its text is what ssh said.
        """
        try:
            return super().getresponse()
        except ConnectionError as error:
            ended = error
        # Not within the handler: people see the first error of a chain.
        raise ConnectionError(self._line.said) if self._line.said else ended


class _Line(socket.socket):
    """Our end of a pair of sockets; ssh has the other, and ends with ours. Unlike a pipe, a socket has a longest wait."""

    said = ""
    """What ssh wrote to stderr; empty before the end."""
    _ssh: subprocess.Popen[bytes] | None = None

    def __init__(self, words: list[str]) -> None:
        ours, far = socket.socketpair()
        super().__init__(fileno=ours.detach())
        # A file, since nobody reads it while ssh works.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        with far:
            # In a session of its own, as the docker command does: it asks nothing on the terminal, and no Ctrl-C reaches it.
            self._ssh = subprocess.Popen(
                words, stdin=far.fileno(), stdout=far.fileno(), stderr=self._stderr, start_new_session=True
            )

    def _real_close(self) -> None:
        """As `ssl.SSLSocket` has it: called once all files that were made of the socket are closed."""
        super()._real_close()  # type: ignore[misc]
        if self._ssh is not None:
            self._ssh.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._ssh.wait(_END_S)
            self._stderr.seek(0)
            words = self._stderr.read().decode(errors="replace").split()[-_MOST_WORDS:]
            self.said = " ".join(words).rstrip(".")
        self._stderr.close()
