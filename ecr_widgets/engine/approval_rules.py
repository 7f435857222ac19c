"""Which runs need another person's approval."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ecr_widgets.actor import Person, person
from ecr_widgets.errors import InputError
from ecr_widgets.model.ecs_names import LAYER0_PREFIX, bare_cluster, is_ecs
from ecr_widgets.settings import Settings

APPROVAL_VARIABLE = "ECR_WIDGETS_APPROVAL"
"""Environments that nobody may change alone, by name or id, separated by commas; `*` for all. An ECS cluster is guarded by
its name, in all accounts and regions; the cluster of a guarded Layer0 environment is guarded, too."""
_TARGETS = {"environment": "an environment", "cluster": "a cluster"}
"""Parameters that name what a run changes; `cluster` counts only if it names an ECS cluster."""


def who_asks(
    runbook: str,
    values: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    required: bool,
    computed: Collection[str] = (),
) -> str | None:
    """What requires an approval, the runbook or its target; None if nothing does.

    Args:
        values: All parameters of the run, except those that its cell computes.

        computed: Names of the computed ones. An environment that is not known yet counts as guarded.

        required: Whether the runbook itself requires it.

    Raises:
        EcrWidgetsError: An environment is guarded, and Layer0 does not say whether it is this one.
    """
    if required:
        return f"runbook {runbook}"
    guarded = {name.strip() for name in environ.get(APPROVAL_VARIABLE, "").split(",")} - {""}
    if not guarded:
        return None
    for name, kind in _TARGETS.items():
        target = values.get(name)
        if target is None:
            if name in computed:
                return f"{kind} that the notebook computes"
        elif (name == "environment" or is_ecs(str(target))) and (
            guarded & {str(target), "*"} or _is_meant(str(target), guarded, environ)
        ):
            return f"{name} {target}"
    return None


def refuse_unapproved(asked_by: str | None, approval: Mapping[str, Any] | None) -> None:
    """Refuse a run that needs an approval and has none.

    Args:
        asked_by: What requires it; None if nothing does.

        approval: The run's approval as known at its start; None if there is none.

    Raises:
        InputError: It needs an approval and has none.
    """
    if asked_by is not None and not (approval or {}).get("approved_by"):
        raise InputError(
            f"{asked_by} requires an approval, and this run has none",
            hint="start it with `ecr-widgets run`, which stops at its plan until another person approves it",
        )


def known_person(environ: Mapping[str, str], *, doing: str) -> Person:
    """Who runs this process, for an approval that depends on it.

    Raises:
        InputError: The person is not known.
    """
    who = person(environ)
    if who.why_unknown:
        raise InputError(
            f"cannot {doing}: the operating system does not say who you are: {who.why_unknown}",
            hint="do it as your own user, outside of containers and namespaces",
        )
    return who


def _is_meant(target: str, guarded: Collection[str], environ: Mapping[str, str]) -> bool:
    """Whether a guarded name is another name of the environment: steps accept its name and its id."""
    cluster = bare_cluster(target) if is_ecs(target) else ""
    of_ecs = {bare_cluster(each) for each in guarded if is_ecs(each)}
    of_layer0 = {each for each in guarded if not is_ecs(each)}
    if cluster in of_ecs:
        return True
    if cluster and not (of_layer0 and cluster.startswith(LAYER0_PREFIX)):
        return False
    if any(cluster.endswith(f"-{each}") for each in of_layer0):
        return True
    settings = Settings.from_environment(environ)
    if settings.layer0 is None:
        return False  # Layer0 is not set up, so nothing in it can be changed from here
    from ecr_widgets.adapters.layer0.client import Layer0Api

    layer0 = Layer0Api(settings.layer0)
    if cluster:
        environments = [layer0.find_environment(each) for each in of_layer0]
        return any(each is not None and cluster.endswith(f"-{each.environment_id}") for each in environments)
    environment = layer0.find_environment(target)
    return environment is not None and bool({environment.name, environment.environment_id} & set(guarded))
