"""Rows of the fault plan at a tenth of their tries; FAULTS_PROFILE=full takes all."""

from __future__ import annotations

import os

import pytest

from tests.audit.faults import ROWS, run_row


@pytest.mark.parametrize("row", ROWS)
def test_no_attack_passes_and_each_control_does(row: str) -> None:
    """The row has no failure, and its control shows that the checker sees."""
    outcome = run_row(row, profile=os.environ.get("FAULTS_PROFILE", "quick"), seed=1)
    assert outcome.failures == 0, outcome
    assert outcome.control_failed > 0, outcome
