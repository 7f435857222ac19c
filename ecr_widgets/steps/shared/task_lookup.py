"""A task by what people call it."""

from __future__ import annotations

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.services import Task
from ecr_widgets.ports.services import Services


def find_task(services: Services, text: str) -> Task:
    """One task by its id, its name, or ENVIRONMENT:NAME; several tasks may have one name.

    Raises:
        EntityNotFound: No such task.

        InputError: Several have that name.
    """
    try:
        return services.read_task(text)
    except EntityNotFound:
        environment, colon, name = text.rpartition(":")
        tasks = [
            each
            for each in services.list_tasks()
            if each.name == name and (not colon or environment in (each.environment, each.environment_id))
        ]
        if not tasks:
            raise
    if len(tasks) > 1:
        listed = ", ".join(f"{each.entity_id} in {each.environment}" for each in tasks)
        raise InputError(f"several tasks are called {name!r}: {listed}", hint="name one of them by its id")
    return services.read_task(tasks[0].entity_id)
