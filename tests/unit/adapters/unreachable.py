"""What is said of an engine that cannot be reached, and answers as they come over its socket."""

from __future__ import annotations

import pytest

from ecr_widgets.adapters.engine_connection import EngineConnection
from ecr_widgets.errors import EngineUnavailable


def told() -> str:
    with pytest.raises(EngineUnavailable) as caught:
        _ = EngineConnection().facts
    return str(caught.value)


def http(body: str, status: str = "200 OK", *, length: int | None = None) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "", body)
    return "\r\n".join(lines).encode()
