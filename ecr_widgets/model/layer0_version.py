"""Which Layer0 releases the kit is known to work with."""

from __future__ import annotations

import re

_RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-.*)?", re.ASCII)
_FIRST, _ONE_COPY, _LAST = (0, 10, 0), (0, 10, 4), (0, 12, 6)


def version_warning(version: str) -> str | None:
    """What people should know before they change anything on a server of this version; None if there is nothing.

    Features are never inferred from versions: tags after v0.12.6 are built on older code, and all fields are optional.
    """
    match = _RELEASE.fullmatch(version)
    if match is None:
        return f"Layer0 says its version is {version!r}, which is not a release: what it can do is not known"
    number = (int(match[1]), int(match[2]), int(match[3]))
    if number < _FIRST:
        return f"Layer0 {version} is older than v0.10.0: environments and tasks cannot be created there"
    if number < _ONE_COPY:
        return f"Layer0 {version} is older than v0.10.4: its tasks may have several copies"
    if number > _LAST:
        return (
            f"Layer0 {version} is newer by its number than v0.12.6, the last release; such tags are built on code of"
            " v0.12.0, whose service lists and logs are wrong on accounts with long ECS ids"
        )
    return None
