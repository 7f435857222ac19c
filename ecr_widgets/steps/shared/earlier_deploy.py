"""Which deploy a service goes back to: the last one that is proven to have run, or else the previous version."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.services import Deploy, Service
from ecr_widgets.ports.services import Services


def earlier_deploy(
    services: Services, service: Service, proven: Callable[[], Collection[str]] = frozenset
) -> str | None:
    """Id of the deploy to go back to, of the same name and never newer than what runs; None if there is none.

    If saved runs prove that the service ran older deploys, it is the newest of these, so that two failed deploys in a row do
    not lead back to the first of them. Without any proof it is the version before the newest. A service that is already on
    such a deploy was rolled back and stays there, so that going back twice does not go back further.

    Args:
        proven: Returns the ids of deploys that a run verified; only called if they matter.
    """
    if service.primary is None:
        return None
    current = services.read_deploy(service.primary.deploy_id)
    stored = sorted(services.list_deploys(current.name), key=lambda each: each.version)
    older = [each for each in stored if each.version < current.version]
    is_newest = current.version == max((each.version for each in stored), default=current.version)
    if is_newest and not older and current.version <= 1:
        return None
    known = proven()
    if not is_newest and (current.deploy_id in known or not any(each.deploy_id in known for each in older)):
        return current.deploy_id
    good = [each for each in older if each.deploy_id in known] or _retired(services, current, known)
    candidates = good or older
    return candidates[-1].deploy_id if candidates else None


def _retired(services: Services, current: Deploy, proven: Collection[str]) -> list[Deploy]:
    """Proven deploys that are no longer listed but can still be read, oldest first: other tools retire what they replace."""
    retired = []
    for deploy_id in proven:
        with suppress(EntityNotFound):
            retired.append(services.read_deploy(deploy_id))
    older = [each for each in retired if each.name == current.name and each.version < current.version]
    return sorted(older, key=lambda each: each.version)


def require_earlier(services: Services, service: str, deploy_id: str | None) -> Deploy:
    """Return the deploy that a service is to go back to.

    Raises:
        InputError: There is none to go back to.

        EntityNotFound: It is not stored.
    """
    if not deploy_id:
        raise InputError(
            f"service {service!r} has no earlier deploy to go back to: it runs the first of its name",
            hint="name another deploy as deploy_id, or scale the service to 0",
        )
    return services.read_deploy(deploy_id)
