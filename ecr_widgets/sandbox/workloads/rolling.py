"""The next step for a service towards its wanted state: how many copies to start, and which to stop."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from ecr_widgets.sandbox.workloads.records import Copy, Service


@dataclass(frozen=True)
class Move:
    """What to do now; the rest follows once this is done."""

    start: int = 0
    """How many copies of the primary deployment to start."""
    surplus: list[Copy] = field(default_factory=list)
    """Copies beyond the desired count, to be stopped."""
    old: list[Copy] = field(default_factory=list)
    """Copies of other deployments, to be stopped."""
    is_over: bool = False
    """Whether the primary deployment has replaced all others."""
    is_stuck: bool = False
    """Whether something has to be done but the percentages allow nothing."""


def next_move(service: Service, ready: Collection[str]) -> Move:
    """Decide as ECS does for a rolling deployment.

    Old copies stay until all new ones are ready, unless the new ones need their room.

    Args:
        ready: Ids of the copies that run and are in service.
    """
    primary, alive, wanted = service.deployments[0], service.copies_alive, service.desired_count
    current = [copy for copy in alive if copy.deployment_id == primary.deployment_id]
    old = [copy for copy in alive if copy.deployment_id != primary.deployment_id]
    surplus, missing = current[wanted:], max(wanted - len(current), 0)
    if sum(copy.copy_id in ready for copy in current) >= wanted:
        return (
            Move(surplus=surplus, old=old, is_over=not old) if primary.may_replace else Move(surplus=surplus)
        )
    room = missing
    if service.most_percent is not None:
        going = sum(copy.stopping and not copy.stopped_at_s for copy in service.copies)
        room = max(math.floor(wanted * service.most_percent / 100) - len(alive) - going, 0)
    start = min(missing, room)
    if primary.given_up or not primary.may_start:
        return Move(surplus=surplus)
    if not primary.may_replace:
        return Move(start=missing, surplus=surplus)
    making_room = _spared(service, old, ready, missing - start)
    is_stuck = (
        missing > 0
        and not start
        and not making_room
        and bool(old)
        and len(alive) == len([copy for copy in service.copies if not copy.stopped_at_s])
    )
    return Move(start=start, surplus=surplus, old=making_room, is_stuck=is_stuck)


def _spared(service: Service, old: list[Copy], ready: Collection[str], needed: int) -> list[Copy]:
    """Old copies that may go before the new ones are ready, starting with those that are not ready themselves."""
    least = math.ceil(service.desired_count * service.least_percent / 100)
    able = sum(copy.copy_id in ready for copy in service.copies_alive)
    spared: list[Copy] = []
    for copy in sorted(old, key=lambda each: each.copy_id in ready):
        if len(spared) == needed:
            break
        if copy.copy_id in ready:
            if able <= least:
                break
            able -= 1
        spared.append(copy)
    return spared
