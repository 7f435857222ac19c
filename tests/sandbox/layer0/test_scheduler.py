"""The loop that keeps services as they are wanted, where no server stands around it."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from ecr_widgets.sandbox.layer0.entities import Service
from ecr_widgets.sandbox.layer0.store import Store
from ecr_widgets.sandbox.workloads.scheduler import Scheduler
from tests.sandbox.layer0.fake_containers import FakeContainers


@pytest.mark.parametrize("turns", range(6))
def test_closing_ends_though_the_loop_was_just_woken(turns: int) -> None:
    """However many turns of the event loop lie between a change and the close, the close is not lost."""

    async def change_and_close() -> None:
        with closing(Store()) as store:
            scheduler = Scheduler(store, FakeContainers(), front="test")
            scheduler.begin()
            await asyncio.sleep(0.01)
            scheduler.adjust(Service(service_id="web1", name="web", environment_id="demo1"))
            for _ in range(turns):
                await asyncio.sleep(0)
            ending = asyncio.create_task(scheduler.close())
            done, _ = await asyncio.wait([ending], timeout=5)
            assert done

    asyncio.run(change_and_close())
