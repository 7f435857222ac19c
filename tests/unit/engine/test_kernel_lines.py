"""The lines to a kernel speak as jupyter_client does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zmq
from jupyter_client.session import Session

from ecr_widgets.engine.kernel_lines import KernelLines


@dataclass
class Kernel:
    """A kernel's end of the lines, with jupyter_client's own framing and signatures."""

    session: Any
    shell: Any
    control: Any
    iopub: Any
    lines: KernelLines

    def asked(self, line: Any) -> dict[str, Any]:
        """The next request on a line."""
        assert line.poll(5000)
        self.asker, message = self.session.recv(line)
        return message  # type: ignore[no-any-return]


@pytest.fixture
def connection(tmp_path: Path) -> dict[str, Any]:
    """What a connection file says."""
    ports = {"shell_port": 1, "iopub_port": 2, "control_port": 3}
    return {"ip": f"{tmp_path}/line", "transport": "ipc", "key": "0123456789abcdef", **ports}


@pytest.fixture
def kernel(connection: dict[str, Any]) -> Iterator[Kernel]:
    context = zmq.Context()
    shell, iopub, control = (context.socket(kind) for kind in (zmq.ROUTER, zmq.XPUB, zmq.ROUTER))
    for number, line in enumerate((shell, iopub, control), 1):
        line.bind(f"ipc://{connection['ip']}-{number}")
    lines = KernelLines(connection)
    assert iopub.recv() == b"\x01"  # subscribed
    yield Kernel(Session(key=connection["key"].encode()), shell, control, iopub, lines)
    lines.close()
    context.destroy(linger=0)


def test_a_cell_and_its_reply_pass(kernel: Kernel) -> None:
    """A kernel gets a cell's source and that it may ask nothing, and its reply is known by the request's id."""
    request = kernel.lines.execute("1 + '\ud800' # ü")
    asked = kernel.asked(kernel.shell)
    assert (asked["msg_type"], asked["header"]["msg_id"]) == ("execute_request", request)
    assert asked["content"]["code"] == "1 + '\ud800' # ü"
    assert (asked["content"]["allow_stdin"], asked["content"]["store_history"]) == (False, True)
    assert kernel.lines.reply(0.0) is None
    kernel.session.send(kernel.shell, "execute_reply", {"status": "ok"}, parent=asked, ident=kernel.asker)
    reply = kernel.lines.reply(5.0)
    assert reply is not None
    assert (reply["parent_header"]["msg_id"], reply["content"]) == (request, {"status": "ok"})


def test_a_kernel_is_asked_to_end_on_a_line_of_its_own(kernel: Kernel) -> None:
    """The request to shut down comes on the control line, which a running cell does not block."""
    kernel.lines.ask_to_end()
    asked = kernel.asked(kernel.control)
    assert (asked["msg_type"], asked["content"]) == ("shutdown_request", {"restart": False})


def test_an_output_comes_with_its_buffers(kernel: Kernel) -> None:
    """An output's content, its request and its buffers arrive as they were sent, behind any topic."""
    parent, content = {"msg_id": "a request"}, {"data": {"text/plain": "ü"}}
    kernel.session.send(
        kernel.iopub, "comm_msg", content, parent=parent, ident=b"topic", buffers=[b"<IDS|MSG>", b"\x00"]
    )
    output = kernel.lines.output(5.0)
    assert output is not None
    assert (output["msg_type"], output["content"]) == ("comm_msg", content)
    assert (output["parent_header"], output["buffers"]) == (parent, [b"<IDS|MSG>", b"\x00"])


def test_what_the_kernel_did_not_sign_is_not_heard(kernel: Kernel) -> None:
    """A message with another key's signature, without one, torn or no JSON is dropped, and the next one is heard."""
    Session(key=b"another").send(kernel.iopub, "stream", {"text": "forged"})
    signed = kernel.session.serialize(kernel.session.msg("stream", {"text": "torn"}))
    for frames in (
        [b"", *signed[1:]],
        signed[:4],
        signed[2:],
        [*signed[:2], b"{", *signed[3:]],
        [os.urandom(9)],
    ):
        kernel.iopub.send_multipart(frames)
    kernel.session.send(kernel.iopub, "stream", {"text": "whole"})
    heard = [kernel.lines.output(5.0) for _ in range(7)]
    assert [each and each["content"] for each in heard] == [None] * 6 + [{"text": "whole"}]


def test_a_kernel_that_does_not_listen_yet_is_soon_tried_again(connection: dict[str, Any]) -> None:
    """All lines try again within 10 ms to reach a kernel that does not listen yet."""
    lines = KernelLines(connection)
    assert max(each.reconnect_ivl for each in (lines._shell, lines._control, lines._iopub)) <= 10
    lines.close()
