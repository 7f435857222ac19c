"""A small web server, as a container would have it."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers what it was asked, with its headers; `/slow` never ends."""

    healthy = True

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(3)
            return
        content = json.dumps({"path": self.path} | dict(self.headers)).encode()
        self.send_response(200 if self.healthy else 500)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[int]:
    """Serve until the block ends; gives the port."""
    Backend.healthy = True
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
