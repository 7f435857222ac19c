"""A Dockerrun as a record keeps it: every setting, but no value that may be a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.form import NAMED
from ecr_widgets.dockerrun.masking import MASK, masked


def kept_settings(dockerrun: Dockerrun) -> Mapping[str, str]:
    """Every setting of the canonical form by its place: `{"containerDefinitions/web/memory": "64"}`.

    Containers and volumes are listed by name. Only the names of environment variables are kept, since it is not known which
    values are secrets; elsewhere values that are named like a secret or look like one are masked.
    """
    return dict(_settings(masked(dockerrun.normalized(), lambda _: MASK), ()))


def _settings(value: Any, at: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if len(at) == 1 and at[0] in NAMED:
        for item in value:
            rest = {key: inner for key, inner in item.items() if key != "name"}
            yield from _settings(rest, (*at, str(item.get("name", ""))))
    elif at[-1:] == ("environment",):
        yield from (("/".join((*at, name)), MASK) for name in value)
    elif isinstance(value, dict):
        for key in sorted(value, key=lambda key: (key != "image", key)):
            yield from _settings(value[key], (*at, key))
    else:
        yield "/".join(at), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
