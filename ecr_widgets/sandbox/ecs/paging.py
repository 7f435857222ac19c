"""Splits lists into pages."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from ecr_widgets.sandbox.ecs.faults import invalid


def page(
    given: Mapping[str, Any],
    member: str,
    items: Sequence[Any],
    *,
    most: int = 100,
    default: int | None = None,
) -> dict[str, Any]:
    """One page of a list, and the token for the next.

    Args:
        most: Most items on a page.

        default: Items on a page if the request does not say; None for `most`.

    Raises:
        EcsError: The size or the token is not valid.
    """
    size = given.get("maxResults", default or most)
    if not 1 <= size <= most:
        raise invalid(f"maxResults must be between 1 and {most}")
    try:
        start = int(base64.b64decode(given.get("nextToken") or "MA==", validate=True))
    except ValueError as error:
        raise invalid("Invalid token") from error
    answer: dict[str, Any] = {member: list(items[start : start + size])}
    if start + size < len(items):
        answer["nextToken"] = base64.b64encode(str(start + size).encode()).decode()
    return answer
