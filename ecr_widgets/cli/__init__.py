"""The command line: parses words, calls, prints. Results on stdout, talk and progress on stderr.

Each command is a module that is imported when it is asked for, so that none pays for another.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module

import click

from ecr_widgets.cli.outcome import OurErrors

_COMMANDS = {
    "admin": "Check, show and maintain a Layer0 itself.",
    "approve": "Approve another person's plan, and run it.",
    "attest": "Attach the seals of runs to the images that they acted on.",
    "audit": "Report what happened, from saved runs alone.",
    "build": "Build an image on the Docker Engine.",
    "copy": "Copy an image to another repository, account or region; it keeps its digest.",
    "deploy": "Deploy an image to a Layer0 service, and verify that it runs.",
    "deploys": "List, show and delete the Dockerruns that Layer0 stores.",
    "doctor": "Check AWS, Docker and Layer0: what is reachable, and how to fix the rest.",
    "environment": "Create, list, show, link, resize and delete Layer0's environments.",
    "fleet": "Run a runbook on many targets, in waves.",
    "images": "List a repository's images.",
    "job": "List, show and delete Layer0's background jobs.",
    "loadbalancer": "Create, change, list, show and delete Layer0's load balancers.",
    "login": "Log Docker in to the account's registry.",
    "logs": "Show the logs of all copies of a Layer0 service or task.",
    "push": "Push a local image to the account's registry.",
    "repositories": "List the account's repositories.",
    "rollback": "Roll a Layer0 service back to an earlier deploy.",
    "run": "Run a runbook and save the run as a notebook.",
    "runbooks": "List the shipped runbooks, or copy them for editing.",
    "sandbox": "Start and stop the embedded sandbox: ECR, Docker and Layer0.",
    "service": "List, show, deploy, scale and delete Layer0's services.",
    "task": "Run a deploy once; list, show and delete tasks.",
}


class _Commands(OurErrors):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"ecr_widgets.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="ecr-widgets")
def main() -> None:
    """Log in to ECR, build and push an image, deploy it with Layer0, and keep the evidence in a notebook.

    Exit codes: 0 succeeded, 1 failed, 2 refused before anything started, 3 interrupted, 4 outcome unknown,
    5 busy (another run holds the target), 6 failed and the rollback failed too,
    7 planned and waiting for another person's approval.
    """
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    """Print a warning without the place in our source, which helps nobody at a command line."""
    # Not by click, whose echo writes past rich and so into a bar's line.
    sys.stderr.write(f"ecr-widgets: warning: {message}\n")
