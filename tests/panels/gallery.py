"""Puts screenshots that the browser tests took into `docs/`, where the pages show them.

Usage: python -m pytest tests/panels && python -m tests.panels.gallery
"""

from __future__ import annotations

import shutil

from tests.panels.conftest import SHOTS

SHOWN = ("audit", "deploy-plan", "deploys", "error", "fleet", "images", "push", "release", "repositories")


def main() -> None:
    """Copy them; all are there after a run of the tests."""
    docs = SHOTS.parents[1] / "docs"
    for name in SHOWN:
        shutil.copyfile(SHOTS / f"{name}.png", docs / f"{name}.png")


if __name__ == "__main__":
    main()
