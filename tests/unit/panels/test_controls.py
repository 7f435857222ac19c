"""Controls that everybody can use."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets
import pytest

from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.notebook_kit import NotebookKit
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
        if isinstance(each, (ipywidgets.Button, ipywidgets.ToggleButton)):
            assert each.tooltip, each.description


@pytest.mark.parametrize("name", PANELS)
def test_no_control_is_made_for_secrets(desk: Desk, kit: NotebookKit, name: str) -> None:
    """Front ends save what widgets hold, so none takes a password."""
    kit.create_repository("app")
    desk.open(PANELS[name](kit))
    assert not [*desk._all(ipywidgets.Password)]


def test_a_group_says_whether_it_is_open(desk: Desk, kit: NotebookKit) -> None:
    """By its sign and in words, and its controls follow."""
    desk.open(kit.deploys("demo", "web"))
    opener, field = desk.find("Deploy an image"), desk.find("Dockerrun")
    body = next(
        each
        for each in desk._all(ipywidgets.VBox, labelled=False)
        if field in getattr(each.children[0], "children", ())
    )
    for is_open, sign, word, display in ((True, "▾", "Open", ""), (False, "▸", "Closed", "none")):
        opener.value = is_open
        assert opener.description.startswith(sign)
        assert opener.tooltip.startswith(word)
        assert body.layout.display == display
