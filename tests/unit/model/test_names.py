"""Name rules per deploy target."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.names import check_name
from ecr_widgets.model.services import Dialect


@pytest.mark.parametrize("kind", ["deploy", "service", "task", "environment"])
@pytest.mark.parametrize("name", ["a b", "a.b", "é", "", "a/b", "a:b", "a" * 256, "a\n"])
def test_ecs_takes_letters_digits_hyphens_and_underscores(kind: str, name: str) -> None:
    """ECS names of every kind have 1 to 255 letters, digits, hyphens and underscores; others are refused with that rule."""
    assert check_name(Dialect.ECS, "Web_1-" + "a" * 249, kind) == "Web_1-" + "a" * 249
    with pytest.raises(
        InputError, match=f"^{kind} name .* refused: ECS does not accept it; use 1 to 255 letters"
    ):
        check_name(Dialect.ECS, name, kind)


def test_layer0s_rules_stay_its_own() -> None:
    """A Layer0 service may have a space and a dot in its name; a deploy may not, and has at most 200 characters."""
    assert check_name(Dialect.LAYER0, "my web.1", "service") == "my web.1"
    for name in ("my web", "a" * 201):
        with pytest.raises(InputError, match="Layer0 makes a task definition family of it"):
            check_name(Dialect.LAYER0, name, "deploy")
