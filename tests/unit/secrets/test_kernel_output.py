"""Secrets are masked in all parts of a kernel's message, not only its content."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ecr_widgets.secrets.kernel_output import guard_kernel_output
from ecr_widgets.secrets.redaction import SecretRegistry

SECRET = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v"


@pytest.fixture
def sent() -> tuple[Any, list[tuple[tuple[Any, ...], dict[str, Any]]]]:
    """A guarded session, and the messages that it sent."""
    messages: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    session = SimpleNamespace(send=lambda *args, **more: messages.append((args, more)))
    known = SecretRegistry()
    known.register(SECRET)
    guard_kernel_output(SimpleNamespace(session=session), known)
    return session, messages


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_binary_parts_and_metadata_are_cleaned(sent: Any, kind: Any) -> None:
    """Secrets in buffers and metadata are masked, and a buffer without one is sent unchanged."""
    session, messages = sent
    plain, held = kind(bytes(range(256))), kind(b"\xff\0" + SECRET.encode() + b"\xfe")
    given = {"buffers": [plain, held], "metadata": {"note": SECRET}}
    session.send("socket", "comm_msg", {"data": {}}, **given)
    session.send(
        "socket", "comm_msg", {"data": {}}, None, None, given["buffers"], None, None, given["metadata"]
    )
    session.send("socket", {"header": {"msg_type": "comm_msg"}, "content": {}, "metadata": given["metadata"]})
    assert SECRET not in repr(messages)
    for _, more in messages[:2]:
        assert more["buffers"][0] is plain
        assert bytes(more["buffers"][1]) == b"\xff\0***\xfe"
        assert more["metadata"] == {"note": "***"}
    assert messages[2][0][1]["metadata"] == {"note": "***"}


def test_a_colour_code_cut_in_two_hides_no_secret(sent: Any) -> None:
    """A secret stays masked if a colour code in it is cut between two messages."""
    session, messages = sent
    for at in range(1, len(SECRET)):
        whole = f"{SECRET[:at]}\x1b[31m{SECRET[at:]}\n"
        for cut in range(at, at + 6):
            for part in (whole[:cut], whole[cut:]):
                session.send(None, "stream", {"name": "stdout", "text": part})
    session.send(None, "status", {})
    told = "".join(args[2]["text"] for args, _ in messages if args[1] == "stream")
    assert told.count("***") == 6 * (len(SECRET) - 1)
    assert not [at for at in range(len(SECRET) - 7) if SECRET[at : at + 8] in told]
