"""Row group `panel`: a repository of 100, 10,000 and 100,000 images in a panel, and in the tables that people use.

A server on loopback stands in for ECR and answers DescribeImages in pages of 1,000, as AWS does: both sides of the first row
call it through boto3, alternately, in one interpreter whose client is ready. Memory and bytes are each measured in a separate
interpreter.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.chromium import PROGRAM

_SIZES = (100, 10_000, 100_000)
_PAGE = 1000
_LINE = tuple[str, float, float, str, str, float, float, int]
_TABLES = ("pandas to_html", "itables", "ipydatagrid")
_MOST_TABLED = 10_000
"""The most rows that the tables are given: more takes them minutes and gigabytes."""


def measured(runs: int) -> Iterator[_LINE]:
    """Return all rows: name, ours, other, name of the other, unit, ratio, aim, runs."""
    if PROGRAM is not None:
        opened = _child("browser", "http://127.0.0.1:9", runs)
        yield _against("panel of 40 kB, opened in a browser", opened["took_s"], 0.05, "50 ms", ("ms", 1e-3))
    for images in _SIZES:
        with _served(images) as address:
            yield _first_picture(images, address, runs)
            panel = _child("panel", address, 1)
            yield _against(f"panel, saved with {images:,}", panel["bytes"], 40e3, "40 kB", ("kB", 1e3))
            if images > _MOST_TABLED:
                frame = _child("pandas", address, 1)
                yield _against(
                    f"panel, memory with {images:,}", panel["memory"], frame["memory"], "pandas", ("MB", 1e6)
                )
                continue
            for name in _TABLES:
                table = _child(name, address, 1)
                yield _against(
                    f"panel, saved with {images:,}", panel["bytes"], table["bytes"], name, ("kB", 1e3)
                )
                yield _against(
                    f"panel, memory with {images:,}", panel["memory"], table["memory"], name, ("MB", 1e6)
                )


def _first_picture(images: int, address: str, runs: int) -> _LINE:
    pairs = _child("first", address, runs)["pairs"]
    ours, other = (round(statistics.median(side), 4) for side in zip(*pairs, strict=True))
    ratio = round(statistics.median(a / b for a, b in pairs), 3)
    return (
        f"panel, first picture of {images:,}",
        ours,
        other,
        "a page of DescribeImages",
        "s",
        ratio,
        1.3,
        runs,
    )


def _against(name: str, ours: float, other: float, told: str, unit: tuple[str, float]) -> _LINE:
    word, size = unit
    return name, round(ours / size, 1), round(other / size, 1), told, word, round(ours / other, 3), 1.0, 1


def _child(action: str, address: str, runs: int) -> dict[str, Any]:
    environ = {
        **os.environ,
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "a-secret-that-nobody-asks-for",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.panel", action, str(runs)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"panel {action}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def _served(images: int) -> Iterator[str]:
    pages = [_page(start, min(_PAGE, images - start), images) for start in range(0, images, _PAGE)]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 20  # head and body in one piece

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = pages[int(asked.get("nextToken", "0"))]
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _page(start: int, count: int, images: int) -> bytes:
    details = [
        {
            "registryId": "111222333444",
            "repositoryName": "team/app",
            "imageDigest": f"sha256:{hashlib.sha256(b'%d' % number).hexdigest()}",
            "imageTags": [f"2026.{number}"],
            "imageSizeInBytes": 10_000_000 + number,
            "imagePushedAt": 1_790_000_000.5 + 60 * number,
            "imageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "lastRecordedPullTime": 1_790_000_100.5 + 60 * number,
        }
        for number in range(start, start + count)
    ]
    answer: dict[str, Any] = {"imageDetails": details}
    if start + count < images:
        answer["nextToken"] = str(start // _PAGE + 1)
    return json.dumps(answer).encode()


def _first(runs: int) -> dict[str, Any]:
    """Return the seconds until the picture is handed to the front end, and those of one page by boto3 alone."""
    from botocore.config import Config

    from ecr_widgets import connect
    from ecr_widgets.panels import base
    from ecr_widgets.recording.terminal import QuietSink

    base.display = lambda *_, **__: None  # type: ignore[attr-defined]
    kit = connect(sink=QuietSink())
    import boto3

    client = boto3.client("ecr", config=Config(retries={"mode": "standard"}))

    def ours() -> None:
        kit.images("team/app")._ipython_display_()

    def other() -> None:
        client.describe_images(repositoryName="team/app", maxResults=_PAGE)

    pairs = [(_seconds(ours), _seconds(other)) for _ in range(runs + 1)]
    return {"pairs": pairs[1:]}


def _seconds(call: Any) -> float:
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s


def _panel() -> dict[str, Any]:
    """Read all images and draw the picture; return the memory that this took and the bytes that a notebook keeps."""
    from ecr_widgets import connect
    from ecr_widgets.panels.images import ImagesPanel
    from ecr_widgets.recording.terminal import QuietSink

    panel = ImagesPanel(connect(sink=QuietSink()), "team/app")
    # Made before, as for the tables: boto3's 8 MB of descriptions of AWS count for neither side.
    _ = panel._look._outside.ecr._ecr  # type: ignore[attr-defined]
    before = _memory()
    pieces = panel.read()
    while not panel._is_whole:
        next(pieces)
    bundle = panel.saved()
    return {"memory": max(_memory() - before, 1), "bytes": _saved(bundle)}


_OPEN = """
async ([source, saved, runs]) => {
  const { mount } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const took = [];
  for (let run = 0; run <= runs; run += 1) {
    const node = document.body.appendChild(document.createElement("div")), began = performance.now();
    mount(node, {}).show(JSON.parse(saved));
    node.offsetHeight; // laid out
    took.push(performance.now() - began);
    node.remove();
  }
  return took.slice(1).map(each => each / 1000);
}
"""


def _opened(runs: int) -> dict[str, Any]:
    """Return the median seconds until a saved panel of the largest possible size is laid out."""
    from datetime import UTC, datetime

    from ecr_widgets.model.record import PANEL_MIME
    from ecr_widgets.panels.link import widget_module
    from ecr_widgets.panels.picture import Picture
    from tests.chromium import launched

    at = datetime(2026, 11, 23, tzinfo=UTC)
    rows = tuple((f"1.{n}", "x" * 400, f"{n} MB") for n in range(100))
    forms = Picture("images", "Images", at, ("tags", "about", "size"), rows).fitted()[1]
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        took_s = page.evaluate(_OPEN, [widget_module(), forms[PANEL_MIME], max(runs, 5)])
    return {"took_s": statistics.median(took_s)}


def _table(name: str) -> dict[str, Any]:
    """Show and save the same images in a table that people use."""
    import boto3

    if name == "itables":
        import itables
    elif name == "ipydatagrid":
        import ipydatagrid
    import pandas as pd

    client = boto3.client("ecr")
    pd.DataFrame({"warm": [1]}).to_html()
    before = _memory()
    pages = client.get_paginator("describe_images").paginate(
        repositoryName="team/app", PaginationConfig={"PageSize": _PAGE}
    )
    frame = pd.DataFrame([image for page in pages for image in page["imageDetails"]])
    if name == "pandas":
        saved = "not shown"
    elif name == "pandas to_html":
        saved = frame.to_html()
    elif name == "itables":
        saved = itables.to_html_datatable(frame, maxBytes=0, connected=False)
    else:
        from ipywidgets import Widget

        shown = ipydatagrid.DataGrid(frame)
        saved = json.dumps(Widget.get_manager_state(widgets=[shown]), default=repr)
    return {"memory": max(_memory() - before, 1), "bytes": _saved({"text/html": saved})}


def _saved(bundle: dict[str, str]) -> int:
    """Return the bytes of a notebook with this one output, as front ends write it, less those of an empty one."""
    import nbformat
    from nbformat import v4

    sizes = [
        len(nbformat.writes(v4.new_notebook(cells=[v4.new_code_cell(outputs=outputs)])).encode())
        for outputs in ([v4.new_output("display_data", data=bundle)], [])
    ]
    return sizes[0] - sizes[1]


def _memory() -> int:
    """Return the resident bytes of this process."""
    import gc

    gc.collect()
    with Path("/proc/self/statm").open() as told:
        return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    action, count = sys.argv[1], int(sys.argv[2])
    actions = {"first": lambda: _first(count), "browser": lambda: _opened(count), "panel": _panel}
    print(json.dumps(actions.get(action, lambda: _table(action))()))
