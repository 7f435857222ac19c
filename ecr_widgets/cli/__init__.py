"""The command line: parses arguments, calls, prints. Results go to stdout, messages and progress to stderr.

Each command is a module that is only imported when it is used, so that no command loads another's imports.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from importlib import import_module

import click

from ecr_widgets.cli.outcome import OurErrors

_GROUPS = {
    "Day to day": {
        "run": "Run a runbook and save the run as a notebook.",
        "runbooks": "List the shipped runbooks, or copy them for editing.",
        "build": "Build an image on the Docker Engine.",
        "push": "Push a local image to the account's registry.",
        "repositories": "List the account's repositories.",
        "images": "List a repository's images.",
        "copy": "Copy an image to another repository, account or region; it keeps its digest.",
        "deploy": "Deploy an image to a service, and verify that it runs.",
        "rollback": "Roll a service back to an earlier deploy.",
        "logs": "Show the logs of all copies of a service or task.",
    },
    "Layer0 / ECS": {
        "service": "List, show, deploy, scale and delete services.",
        "deploys": "List, show and delete stored Dockerruns or task definitions.",
        "fleet": "Run a runbook on many targets, in waves.",
        "task": "Run a deploy once; list, show and delete tasks.",
        "environment": "Create, list, show, link, resize and delete Layer0's environments.",
        "loadbalancer": "Create, change, list, show and delete Layer0's load balancers.",
        "job": "List, show and delete Layer0's background jobs.",
        "admin": "Check, show and maintain a Layer0 itself.",
    },
    "Evidence": {
        "audit": "Report what happened, from saved runs alone.",
        "approve": "Approve another person's plan, and run it.",
        "attest": "Attach the seals of runs to the images that they acted on.",
    },
    "Set up": {
        "lab": "Open JupyterLab on a desk of your own: start page, forms, runbooks and runs.",
        "doctor": "Check AWS, Docker and Layer0: what is reachable, and how to fix the rest.",
        "login": "Log Docker in to the account's registry.",
        "sandbox": "Start and stop the embedded sandbox: ECR, ECS, Docker and Layer0.",
    },
}
_EXAMPLES = """
  ecr-widgets doctor
  ecr-widgets run release -p repository myteam/app -p tag 1.10 --plan
  ecr-widgets service list
"""


class _Commands(OurErrors):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in _GROUPS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"ecr_widgets.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(map(len, self.list_commands(ctx)))
        for title, commands in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(longest), text) for name, text in commands.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"\nExamples:{_EXAMPLES}")


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="ecr-widgets")
def main() -> None:
    """Log in to ECR, build and push an image, deploy it to Layer0 or Amazon ECS, and keep the evidence in a notebook.

    Exit codes: 0 succeeded, 1 failed, 2 refused before anything started, 3 interrupted, 4 outcome unknown,
    5 busy (another run holds the target), 6 failed and the rollback failed too,
    7 planned and waiting for another person's approval.
    """
    warnings.showwarning = _show_warning


def _show_warning(message: Warning | str, *_where: object, **_more: object) -> None:
    """Print a warning without its place in our source, which does not help at a command line."""
    # Not with click, whose echo bypasses rich and would write into a bar's line.
    with suppress(OSError):
        sys.stderr.write(f"ecr-widgets: warning: {message}\n")
