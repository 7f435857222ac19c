"""What a panel offers, and how the front end's values are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.panels.offers import Action, Field
from tests.unit.panels.desk import Desk

PANELS: dict[str, Callable[[NotebookKit], Panel]] = {
    "repositories": lambda kit: kit.repositories(),
    "images": lambda kit: kit.images("app"),
    "deploys": lambda kit: kit.deploys("demo", "web"),
}
FIELDS = (
    Field("name", "Name", required=True),
    Field("how", "How", "b", options=("a", "b"), kind="choice"),
    Field("many", "How many", 3, most=5),
    Field("too", "And too", value=False),
    Field("key", "Key", when=("how", "a")),
)
ACTION = Action("go", "Go", "Goes", lambda _: None, FIELDS)
TYPED = {"name": " app ", "how": "a", "many": 0, "too": True, "key": "k"}


@pytest.mark.parametrize("name", PANELS)
def test_every_field_has_a_label_and_every_button_says_what_it_does(
    desk: Desk, kit: NotebookKit, name: str
) -> None:
    """Each action and field has a label and each button a description, and no field is for a secret."""
    kit.create_repository("app")
    kit.push_image(kit.build_image(".", name="app"), repository="app", tag="1")
    desk.open(PANELS[name](kit))
    actions = [*desk.state["actions"]]
    if desk.rows:
        desk.choose(desk.rows[0][0])
        actions += desk.drawer["actions"]
    assert actions
    for each in actions:
        assert all(each[words].strip() for words in ("label", "hint", "go")), each
        for field in each["fields"]:
            assert field["label"].strip()
            assert field["kind"] in ("text", "lines", "choice", "tick", "number")


def test_what_was_typed_is_read_by_its_field() -> None:
    """Values are read by field, without outer spaces; a field that belongs to another choice is empty."""
    assert ACTION.read(TYPED) == {"name": "app", "how": "a", "many": 0, "too": True, "key": "k"}
    assert ACTION.read({**TYPED, "how": "b"})["key"] == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "  "}, "Name is empty"),
        ({"name": 7}, "Name cannot be read"),
        ({"name": "x" * 20_001}, "Name cannot be read"),
        ({"how": "c"}, "How is not one of the choices"),
        ({"many": 6}, "How many is not a whole number from 0 to 5"),
        ({"many": -1}, "How many is not a whole number"),
        ({"many": True}, "How many is not a whole number"),
        ({"many": "3"}, "How many is not a whole number"),
        ({"many": None}, "How many is not a whole number"),
        ({"too": "yes"}, "And too cannot be read"),
        ({"more": 1}, "came back changed"),
    ],
)
def test_what_is_not_what_was_asked_for_is_refused(changed: dict[str, Any], said: str) -> None:
    """A value of another type, range, choice or field is refused."""
    with pytest.raises(InputError, match=said):
        ACTION.read({**TYPED, **changed})


@pytest.mark.parametrize("typed", [None, [], "x", {}])
def test_values_that_are_no_fields_are_refused(typed: object) -> None:
    """Values that are not a mapping of fields are refused."""
    with pytest.raises(InputError, match="came back changed"):
        ACTION.read(typed)
