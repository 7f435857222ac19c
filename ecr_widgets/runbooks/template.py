"""The template that users start from when they write their own runbook."""

from __future__ import annotations

from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def new_runbook(name: str) -> dict[str, Any]:
    """Return a runbook that passes the checks and is already useful: it finds an image and reports where it runs.

    Args:
        name: The runbook's name; its file is NAME.ipynb.
    """
    title = name.replace("_", " ").replace("-", " ").strip().capitalize()
    cells = [
        new_markdown_cell(f"# {title}\n\nSay here what this runbook does, and what it changes."),
        new_markdown_cell(
            "## Operation note\n\n*Why this run: write the reason and the ticket here before you run it by hand.*"
        ),
        new_code_cell(
            'repository: str = "xfra-wait"  # ECR repository\n'
            'reference: str = "custom-tag-1"  # tag, or a digest that begins with sha256:',
            metadata={"tags": ["parameters"]},
        ),
        new_code_cell("from ecr_widgets import connect\n\nkit = connect()"),
        new_markdown_cell(
            "## Check the target\n\nNormal: your account and your engine. Nothing is changed here."
        ),
        new_code_cell("target = kit.check_target()"),
        new_markdown_cell("## Find the image\n\nNormal: its digest."),
        new_code_cell("found = kit.find_image(repository, reference)"),
        new_markdown_cell(
            "## Check the result\n\nThe post-condition, here: which services run images of this repository."
        ),
        new_code_cell("uses = kit.ecr.find_uses(repository)"),
    ]
    for number, cell in enumerate(cells, 1):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book: dict[str, Any] = new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    return book
