"""Docker's configuration for one run: logins that a cell stores with `docker login` are removed with the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ecr_widgets.errors import SettingsError
from ecr_widgets.settings.engine_address import UNUSABLE, read_docker_config


def private_docker_config(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Make a folder used in place of the user's Docker configuration, and return the variable that names it.

    The user's settings and logins can be read there. A credential store for all registries (`credsStore`) is used only for
    the registries in `auths`, and gets no new logins. Everything beside the file is linked, such as contexts and plug-ins.

    Raises:
        OSError: The folder cannot be made.
    """
    folder.mkdir(mode=0o700)
    # As Docker does it: HOME decides, and without it there is no configuration.
    home = environ.get("HOME")
    users = environ.get("DOCKER_CONFIG") or (home and str(Path(home, ".docker")))
    config: dict[str, Any] = {}
    if users:
        try:
            config = dict(read_docker_config({"DOCKER_CONFIG": users}))
        except SettingsError as error:
            # Not every run needs an engine; one that does is told why it is not known which.
            config = {UNUSABLE: error.message}
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
