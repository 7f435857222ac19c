"""Names that a target accepts and that can be addressed later."""

from __future__ import annotations

import re

from ecr_widgets.errors import InputError
from ecr_widgets.model.ecs_names import is_ecs
from ecr_widgets.model.layer0 import check_deploy_name, check_entity_name
from ecr_widgets.model.services import Dialect

_ECS_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


def dialect_of(environment: str) -> Dialect:
    """Which kind of document an environment stores, by its name alone."""
    return Dialect.ECS if is_ecs(environment) else Dialect.LAYER0


def check_name(dialect: Dialect, name: str, kind: str) -> str:
    """Return the name if the target accepts it.

    Args:
        kind: What is named, such as `deploy`, `service` or `task`.

    Raises:
        InputError: The target would refuse it, or not find it again.
    """
    if dialect is Dialect.LAYER0:
        return check_deploy_name(name) if kind == "deploy" else check_entity_name(name, kind=kind)
    if not _ECS_NAME.fullmatch(name):
        raise InputError(
            f"{kind} name {name!r} refused: ECS does not accept it",
            hint="use 1 to 255 letters, digits, - and _",
        )
    return name
