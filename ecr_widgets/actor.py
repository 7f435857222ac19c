"""Who started a run, as the operating system knows it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping


def actor(environ: Mapping[str, str] = os.environ) -> str:
    """Name of this process's user; behind `sudo` the person who called it, as `alice (as root)`.

    The user is asked of the system and not of variables such as USER, which anybody can set.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    behind = environ.get("SUDO_USER", "")
    return f"{behind} (as {name})" if os.getuid() == 0 and behind not in ("", name) else name
