"""Which deploy a rollback goes to."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.steps.deploy_service import DeployService, ServiceOutcome
from ecr_widgets.steps.find_service import FindService
from ecr_widgets.steps.rollback import Rollback
from ecr_widgets.steps.shared.earlier_deploy import earlier_deploy
from ecr_widgets.steps.shared.outside import Outside
from tests.fakes import REGISTRY, World, digest_of
from tests.fakes.connections import perform
from tests.unit.steps.deployed import stored


def version(outside: Outside, text: str) -> str:
    """Store one more version of `roll` and return its id."""
    return stored(outside, f"{REGISTRY}/roll@{digest_of(text)}", name="roll").deploy_id


def brought_to(outside: Outside, deploy_id: str) -> ServiceOutcome:
    """Bring the service `web` to the deploy."""
    return perform(DeployService("demo", "web", deploy_id), outside)


@pytest.mark.parametrize(
    ("current", "proven", "back"),
    [
        # Nothing is proven: the version before the newest, and from there nowhere.
        (3, (), 2),
        (2, (), 2),
        (1, (), 1),
        # The first of three is the last good one: never to an unproven one, and never forward.
        (3, (1,), 1),
        (2, (1,), 1),
        (1, (1,), 1),
        # A proven newest one goes back to the proven one before it, and stays there.
        (3, (1, 2, 3), 2),
        (2, (1, 2, 3), 2),
        (3, (3,), 2),
    ],
)
def test_going_back_is_to_the_last_good_one_and_never_forward(
    outside: Outside, current: int, proven: tuple[int, ...], back: int
) -> None:
    """A rollback goes to the last proven deploy before the newest, or if none is proven to the second newest, never forward."""
    ids = [version(outside, str(number)) for number in range(3)]
    service = outside.layer0.read_service(brought_to(outside, ids[current - 1]).service_id)
    assert (
        earlier_deploy(outside.layer0, service, lambda: [ids[each - 1] for each in proven]) == ids[back - 1]
    )


def test_from_the_only_one_there_is_no_way_back(outside: Outside, world: World) -> None:
    """If there is no earlier deploy, or the given one is not stored, the rollback is refused before any change."""
    brought_to(outside, version(outside, "a"))
    service = perform(FindService("demo", "web"), outside)
    assert service.previous_deploy_id is None
    before = list(world.changes)
    with pytest.raises(InputError, match="the first of its name"):
        perform(Rollback(service), outside)
    with pytest.raises(EntityNotFound):
        perform(Rollback(service, deploy_id="nobody.1"), outside)
    assert world.changes == before
