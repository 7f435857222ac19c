"""What papermill says of a run that is not so."""

from __future__ import annotations

import pytest
from papermill.log import logger

from ecr_widgets.engine.papermill_log import knowing_parameters


def test_only_the_untrue_warning_is_kept_back_and_only_within_the_block(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Other names, other warnings and all that is said afterwards come through."""
    with knowing_parameters({"on_failure"}):
        for said in (
            "Passed unknown parameter: on_failure",
            "Passed unknown parameter: on_failures",
            "Autosave too slow",
        ):
            logger.warning(said)
    logger.warning("Passed unknown parameter: on_failure")
    assert caplog.messages == [
        "Passed unknown parameter: on_failures",
        "Autosave too slow",
        "Passed unknown parameter: on_failure",
    ]
