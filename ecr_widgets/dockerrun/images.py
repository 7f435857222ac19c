"""Images that a stored Dockerrun names, read as leniently as possible: what this kit would refuse may be running anyway.

Source: Go's JSON decoder, which Layer0 uses: member names in any case, and the last of duplicate members counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ecr_widgets.errors import InvalidDockerrun

_Members = tuple[tuple[str, Any], ...]
"""An object with all of its members, including duplicates."""


def image_texts(document: bytes) -> tuple[str, ...]:
    """All texts of members called `image`, anywhere: maybe more than the images that run, never fewer.

    Raises:
        InvalidDockerrun: Not JSON at all.
    """
    return tuple(dict.fromkeys(text for value in _images(_read(document)) for text in _texts(value)))


def container_images(document: bytes) -> tuple[tuple[str, str], ...]:
    """Name and image of each container, as Layer0 reads them.

    Raises:
        InvalidDockerrun: Not JSON at all.
    """
    containers = _member(_read(document), "containerDefinitions")
    return tuple(
        (name if isinstance(name, str) else "", image)
        for name, image in (
            (_member(each, "name"), _member(each, "image"))
            for each in (containers if isinstance(containers, list) else ())
        )
        if isinstance(image, str) and image
    )


def _read(document: bytes) -> Any:
    try:
        return json.loads(
            # An image's name is always UTF-8, and a byte-order mark is not content.
            document.decode("utf-8-sig", errors="replace"),
            object_pairs_hook=tuple,
            parse_int=str,
            parse_float=str,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidDockerrun(f"it is not JSON: {type(error).__name__}") from error


def _images(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            yield from (item for key, item in one if key.casefold() == "image")
            waiting += [item for _, item in one]
        elif isinstance(one, list):
            waiting += one


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and one.strip():
            yield one.strip()
        elif isinstance(one, tuple):
            waiting += [item for _, item in one]
        elif isinstance(one, list):
            waiting += one


def _member(value: Any, wanted: str) -> Any:
    members: _Members = value if isinstance(value, tuple) else ()
    values = [item for key, item in members if key.casefold() == wanted.casefold()]
    return values[-1] if values else None
