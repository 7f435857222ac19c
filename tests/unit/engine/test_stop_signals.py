"""Signals that ask a run to stop."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from ecr_widgets.engine.stop_signals import Interrupted, signals_raise


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_a_library_swallowed_is_not_lost(number: signal.Signals) -> None:
    """A signal whose exception asyncio swallowed is raised again at the next check, and the old handler is restored."""

    async def struck() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        loop.call_soon(os.kill, os.getpid(), number)
        await asyncio.sleep(0.05)

    before = signal.getsignal(number)
    with signals_raise() as stop:
        stop.check()
        try:
            asyncio.run(struck())
        except (Interrupted, KeyboardInterrupt):
            pytest.fail("asyncio lets it through by now: this test proves nothing")
        with pytest.raises(Interrupted) as told:
            stop.check()
    assert told.value.number == number
    assert signal.getsignal(number) is before
