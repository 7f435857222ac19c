"""Template placeholders that were not filled in, such as Terraform's `${port}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ecr_widgets.dockerrun.form import member
from ecr_widgets.dockerrun.reading import step

_PLACEHOLDER = re.compile(r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|<[A-Z][A-Z0-9_]*>")
# Here a shell expands `${...}`.
_RUN = frozenset(("command", "entrypoint", "healthcheck"))


def unfilled_places(document: Mapping[str, Any]) -> Iterator[str]:
    """JSON pointers of texts that still hold `${...}`, `{{...}}` or `<NAME>`, except in commands."""
    key, containers = member(document, "containerDefinitions")
    for number, container in enumerate(containers):
        kept = {name: value for name, value in container.items() if name.casefold() not in _RUN}
        yield from _places(kept, step(step("", key), number))
    yield from _places({name: value for name, value in document.items() if name != key}, "")


def _places(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, step(at, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _places(item, step(at, number))
    elif isinstance(value, str) and _PLACEHOLDER.search(value):
        yield at
