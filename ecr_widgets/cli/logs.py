"""`ecr-widgets logs`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option
from ecr_widgets.cli.targets import moment, services_of
from ecr_widgets.cli.waiting import timeout_option
from ecr_widgets.errors import EntityNotFound, InputError

if TYPE_CHECKING:
    from ecr_widgets.model.services import ContainerLog
    from ecr_widgets.ports.services import Services
    from ecr_widgets.steps.shared.logs import LogLine

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "red")


@click.command(name="logs")
@click.argument("environment")
@click.argument("name")
@click.option("--tail", default=0, metavar="N", help="Last lines of each container; 0 for all.")
@click.option(
    "--start", metavar="TIME", help="Earliest time, such as '2026-11-23 17:00' (UTC, whole minutes)."
)
@click.option("--end", metavar="TIME", help="Latest time.")
@click.option("--follow", "-f", is_flag=True, help="Keep printing new lines until the task ends or Ctrl-C.")
@timeout_option(3600.0, "How long to follow, in seconds.")
@json_option
def command(
    environment: str,
    name: str,
    *,
    tail: int,
    start: str | None,
    end: str | None,
    follow: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Show the logs of all copies of the service NAME, or of the task with that name or id.

    Each line begins with its container's name.
    """
    from ecr_widgets.steps.shared import logs

    since, until = moment(start), moment(end)
    if tail < 0:
        raise InputError(
            f"--tail {tail} refused", hint="give 0 for all lines, or a number of lines per container"
        )
    if follow and (as_json or tail or until is not None):
        raise InputError("--follow refused", hint="it cannot be combined with --json, --tail or --end")
    source, paint = Source(services_of(environment), environment, name), _painter()
    if not follow:
        lines = logs.merge(source.read(tail, since, until))
        if as_json:
            print_json([asdict(line) for line in lines])
        else:
            for line in lines:
                click.echo(paint(line))
        return
    from ecr_widgets.adapters.clock import SystemClock

    for line in logs.follow(
        SystemClock(), lambda: source.read(0, since, None), source.is_over, timeout_s=timeout_s
    ):
        click.echo(paint(line))


def _painter() -> Callable[[LogLine], str]:
    """Return a function that formats a line: on a terminal with colours each copy has its own."""
    from ecr_widgets.cli.tables import has_colours
    from ecr_widgets.model.text import visible

    colours, of_copy = has_colours(), dict[str, str]()

    def paint(line: LogLine) -> str:
        if not colours:
            return visible(str(line))
        colour = of_copy.setdefault(line.source, _COLOURS[len(of_copy) % len(_COLOURS)])
        return f"{click.style(f'[{visible(line.source)}]', fg=colour)} {visible(line.text)}"

    return paint


class Source:
    """The service of that name, or else the task.

    Raises:
        EntityNotFound: The environment has neither a service nor a task of that name.

        InputError: Several tasks have the name.
    """

    def __init__(self, services: Services, environment: str, name: str) -> None:
        from ecr_widgets.steps.shared.service_lookup import find_environment, nearest_service

        self._services = services
        where = find_environment(services, environment)
        service = services.find_service(where.environment_id, name)
        self._service_id = service.service_id if service is not None else None
        self._task_id = ""
        if self._service_id is None:
            tasks = [
                task.entity_id
                for task in services.list_tasks(where.environment_id)
                if name in (task.name, task.entity_id)
            ]
            if not tasks:
                raise EntityNotFound(
                    f"environment {environment!r} has neither a service nor a task {name!r}",
                    hint=nearest_service(
                        services,
                        where,
                        name,
                        "list them with `ecr-widgets service list` and `ecr-widgets task list`",
                    ),
                )
            if len(tasks) > 1:
                raise InputError(
                    f"{len(tasks)} tasks are called {name!r}", hint=f"use an id: {', '.join(tasks)}"
                )
            (self._task_id,) = tasks

    def read(self, tail: int, start: datetime | None, end: datetime | None) -> Sequence[ContainerLog]:
        if self._service_id is not None:
            return self._services.service_logs(self._service_id, tail=tail, start=start, end=end)
        return self._services.task_logs(self._task_id, tail=tail, start=start, end=end)

    def is_over(self) -> bool:
        """Whether the source is a task that has ended."""
        return self._service_id is None and self._services.read_task(self._task_id).is_stopped
