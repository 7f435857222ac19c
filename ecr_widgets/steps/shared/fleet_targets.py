"""The targets that a fleet is given: a list as text, a file, or services whose names match."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from ecr_widgets.errors import InputError
from ecr_widgets.model.fleet import FleetRunbook, Target, name_targets
from ecr_widgets.model.parameters import read_parameters
from ecr_widgets.model.target_lists import Check, Source, read_targets, source_of
from ecr_widgets.ports.services import Services
from ecr_widgets.steps.shared.service_lookup import find_environment

_OF_A_GLOB = ("environment", "service")


def find_targets(
    targets: str,
    runbook: FleetRunbook,
    *,
    common: Mapping[str, str],
    check: Check,
    read: Callable[[str], bytes],
    services_of: Callable[[str], Services],
) -> tuple[Target, ...]:
    """The targets that a fleet is given.

    Args:
        targets: A list as text, a file's path, or `ENVIRONMENT/SERVICE*`.

        common: Parameters of all targets, as a person typed them.

        read: Returns a file's content.

        services_of: Returns the deploy target of an environment.

    Raises:
        InputError: A target is refused, or there is none.

        EntityNotFound: No such environment.
    """
    source = source_of(targets)
    if source is not Source.SERVICES:
        named = "targets" if source is Source.TEXT else targets
        text = targets if source is Source.TEXT else decoded(read(targets), named)
        return read_targets(text, runbook.parameters, common=common, check=check, named=named)
    _check_declared(runbook)
    environment, _, pattern = targets.rpartition("/")
    sets = [
        {"environment": environment, "service": name}
        for name in _services(services_of(environment), environment, pattern)
    ]
    if not sets:
        raise InputError(f"no service of {environment!r} matches {pattern!r}")
    for each in sets:
        check(each)
    return name_targets(
        [read_parameters(runbook.parameters, values={}, texts={**common, **each}) for each in sets]
    )


def _services(services: Services, environment: str, pattern: str) -> list[str]:
    place = find_environment(services, environment)
    listed = services.list_services(place.environment_id)
    return sorted({each.name for each in listed if each.name and fnmatchcase(each.name, pattern)})


def _check_declared(runbook: FleetRunbook) -> None:
    declared = {each.name for each in runbook.parameters}
    missing = [name for name in _OF_A_GLOB if name not in declared]
    if missing:
        raise InputError(
            f"{runbook.name} declares no parameter {missing[0]!r}, so services cannot be its targets",
            hint="give a file with its own parameters",
        )


def decoded(content: bytes, named: str) -> str:
    """A list of targets as text, without the byte-order mark that some programs write.

    Raises:
        InputError: It is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{named}: not UTF-8", hint="save it as UTF-8") from error
