"""The few answers of an engine that `sandbox up` needs, with pulls that go out from the network it was started in.

Usage: python engine_elsewhere.py SOCKET http|https|unreachable
"""

from __future__ import annotations

import base64
import json
import re
import socketserver
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler


class _Engine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = re.sub(r"^/v[0-9.]+", "", urllib.parse.unquote(self.path.partition("?")[0]))
        known = {
            "/version": {"ApiVersion": "1.41"},
            "/_ping": "OK",
            "/images/json": [],
            "/volumes": {"Volumes": []},
        }
        self._say(200, {"Id": "sha256:held"} if path.endswith(":latest/json") else known.get(path, []))

    def do_POST(self) -> None:
        asked = urllib.parse.parse_qs(self.path.partition("?")[2])
        registry, _, repository = asked["fromImage"][0].partition("/")
        login = json.loads(base64.urlsafe_b64decode(self.headers["X-Registry-Auth"]))
        self._say(500, {"message": _pull(registry, repository, login, sys.argv[2])})

    def _say(self, status: int, content: object) -> None:
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *_: object) -> None:
        pass


def _pull(registry: str, repository: str, login: dict[str, str], scheme: str) -> str:
    if scheme == "unreachable":
        return "connection refused"
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(
        None, f"{scheme}://{registry}", login["username"], login["password"], is_authenticated=True
    )
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
    )
    try:
        opener.open(f"{scheme}://{registry}/v2/{repository}/manifests/none", timeout=10)
    except (urllib.error.URLError, OSError) as error:
        return str(error)
    return "found"


if __name__ == "__main__":
    with socketserver.UnixStreamServer(sys.argv[1], _Engine) as server:
        print("ready", flush=True)
        server.serve_forever()
