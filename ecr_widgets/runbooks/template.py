"""The template that users start from when they write their own runbook."""

from __future__ import annotations

from typing import Any


def new_runbook(name: str) -> dict[str, Any]:
    """Return a runbook that passes the checks and is already useful: it finds an image and reports where it runs.

    Args:
        name: The runbook's name; its file is NAME.ipynb.
    """
    title = name.replace("_", " ").replace("-", " ").strip().capitalize()
    cells = [
        ("markdown", f"# {title}\n\nSay here what this runbook does, and what it changes."),
        (
            "markdown",
            "## Operation note\n\n*Why this run: write the reason and the ticket here before you run it by hand.*",
        ),
        (
            "parameters",
            (
                'repository: str = "xfra-wait"  # ECR repository\n'
                'reference: str = "custom-tag-1"  # tag, or a digest that begins with sha256:'
            ),
        ),
        ("code", "from ecr_widgets import connect\n\nkit = connect()"),
        (
            "markdown",
            "## Check the target\n\nNormal: your account and your engine. Nothing is changed here.",
        ),
        ("code", "target = kit.check_target()"),
        ("markdown", "## Find the image\n\nNormal: its digest."),
        ("code", "found = kit.find_image(repository, reference)"),
        (
            "markdown",
            "## Check the result\n\nThe post-condition, here: which services run images of this repository.",
        ),
        ("code", "uses = kit.ecr.find_uses(repository)"),
    ]
    return {
        "cells": [
            {"cell_type": "markdown", "id": f"cell-{number}", "metadata": {}, "source": source}
            if kind == "markdown"
            else {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {"tags": ["parameters"]} if kind == "parameters" else {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, (kind, source) in enumerate(cells, 1)
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
