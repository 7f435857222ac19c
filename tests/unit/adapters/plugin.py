"""A stand-in for the buildx plug-in: records how it was started and prints what the test gives it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python}
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).resolve().parent
if sys.argv[1] in ("version", "--version"):
    print("{version}")
    sys.exit()
config = pathlib.Path(os.environ["DOCKER_CONFIG"])
said = {{
    "arguments": sys.argv[1:],
    "environ": dict(os.environ),
    "config": json.loads((config / "config.json").read_text()),
    "identities": [each.read_text() for each in sorted(config.rglob(".buildNodeID"))],
    "modes": [oct(each.stat().st_mode & 0o777) for each in (config, config / "config.json")],
}}
signal.signal(signal.SIGINT, lambda *_: ((here / "interrupted").touch(), sys.exit(130)))
(here / "started").write_text(json.dumps(said))
if "--metadata-file" in sys.argv:
    file = sys.argv[sys.argv.index("--metadata-file") + 1]
    pathlib.Path(file).write_text(json.dumps({{"containerimage.digest": {digest!r}}}))
for line in {lines!r}:
    print(line, file=sys.stderr, flush=True)
while {waits}:
    time.sleep(0.05)
sys.exit({exit_code})
"""


@dataclass(frozen=True)
class Plugin:
    """One stand-in."""

    path: Path

    def started(self) -> dict[str, Any]:
        """Return the arguments, environment and configuration that it was started with."""
        found: dict[str, Any] = json.loads((self.path.parent / "started").read_text())
        return found

    @property
    def was_interrupted(self) -> bool:
        """Whether it received SIGINT and ended because of it."""
        return (self.path.parent / "interrupted").exists()


def make_plugin(
    folder: Path,
    *,
    name: str = "docker-buildx",
    version: str = "github.com/docker/buildx v0.29.1 abc",
    lines: Sequence[str] = (),
    exit_code: int = 0,
    waits: bool = False,
    digest: str = "sha256:" + "b" * 64,
) -> Plugin:
    """Create one in a folder.

    Args:
        lines: What it prints on standard error.

        waits: Whether it runs until it is interrupted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(
        _PROGRAM.format(
            python=sys.executable,
            version=version,
            lines=list(lines),
            exit_code=exit_code,
            waits=waits,
            digest=digest,
        )
    )
    path.chmod(0o755)
    return Plugin(path)
