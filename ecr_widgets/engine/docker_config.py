"""Docker's configuration for one run: what a cell's own `docker login` stores goes with the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def private_docker_config(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Make a folder used in place of the user's Docker configuration, and give back the variable that names it.

    The user's settings and logins are there to be read. The one store of a desktop is asked for the registries that it is
    known to hold, and not given new ones; all else beside the file is linked to, such as contexts and plug-ins.

    Raises:
        OSError: It cannot be made.
    """
    folder.mkdir(mode=0o700)
    # As Docker finds it: HOME decides, and whoever has none has no configuration.
    home = environ.get("HOME")
    users = environ.get("DOCKER_CONFIG") or (home and str(Path(home, ".docker")))
    config: dict[str, Any] = {}
    if users:
        with suppress(OSError, ValueError, RecursionError):
            read = json.loads(Path(users, "config.json").read_bytes())
            config = read if isinstance(read, dict) else {}
        with suppress(OSError):
            for each in Path(users).absolute().iterdir():
                if each.name != "config.json":
                    (folder / each.name).symlink_to(each)
    store = config.pop("credsStore", None)
    known, helpers = config.get("auths"), config.get("credHelpers")
    if isinstance(store, str) and isinstance(known, dict):
        config["credHelpers"] = dict.fromkeys(known, store) | (helpers if isinstance(helpers, dict) else {})
    file = folder / "config.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(folder)}
