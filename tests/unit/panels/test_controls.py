"""Controls that everybody can use."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets
import pytest

from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.kit import NotebookKit
from tests.unit.panels.desk import Desk

PANELS: dict[str, Callable[[NotebookKit], Panel]] = {
    "repositories": lambda kit: kit.repositories(),
    "images": lambda kit: kit.images("app"),
    "deploys": lambda kit: kit.deploys("demo", "web"),
}


@pytest.mark.parametrize("name", PANELS)
def test_every_control_has_a_label_and_every_button_says_what_it_does(
    desk: Desk, kit: NotebookKit, name: str
) -> None:
    """In words, for those who see no layout and no colour."""
    kit.create_repository("app")
    desk.open(PANELS[name](kit))
    controls = [*desk._all()]
    assert len(controls) > 10
    for each in controls:
        if not isinstance(each, ipywidgets.Label):
            assert each.description.strip(), each
        if isinstance(each, ipywidgets.Button):
            assert each.tooltip, each.description


@pytest.mark.parametrize("name", PANELS)
def test_no_control_is_made_for_secrets(desk: Desk, kit: NotebookKit, name: str) -> None:
    """Front ends save what widgets hold, so none takes a password."""
    kit.create_repository("app")
    desk.open(PANELS[name](kit))
    assert not [*desk._all(ipywidgets.Password)]
