"""The members of a task definition, compared with the installed botocore."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session

from ecr_widgets.dockerrun.kinds import Kind, Listed, Members, OwnTexts, Words
from ecr_widgets.dockerrun.members import DOCUMENT, OUTPUT_ONLY
from ecr_widgets.model.services import Dialect

ECS = botocore.session.get_session().get_service_model("ecs")
INPUT = ECS.operation_model("RegisterTaskDefinition").input_shape
OUTPUT = ECS.operation_model("DescribeTaskDefinition").output_shape.members["taskDefinition"]
PLAIN = {"string": str, "integer": int, "boolean": bool}


def differences(shape: Any, kind: Kind | None, at: str = "") -> Iterator[str]:
    """Yield how botocore's model differs from the table, with places such as `/containerDefinitions/[]/cpu`."""
    if kind is None:
        yield f"{at} is not in the table"
    elif shape.type_name == "structure":
        assert isinstance(kind, Members), at
        yield from (f"{at}/{name} is not in botocore" for name in kind.kinds.keys() - shape.members.keys())
        required = set(shape.required_members) - {"family"}
        if required - {"containerDefinitions"} - kind.required:
            yield f"{at} requires {required - kind.required}"
        for name, member in shape.members.items():
            yield from differences(member, kind.kinds.get(name), f"{at}/{name}")
    elif shape.type_name == "list":
        assert isinstance(kind, Listed), at
        yield from differences(shape.member, kind.item, f"{at}/[]")
    elif shape.type_name == "map":
        if not isinstance(kind, OwnTexts):
            yield f"{at} is a map"
    elif isinstance(kind, Words):
        if set(kind.of(Dialect.ECS)) != set(getattr(shape, "enum", ())):
            yield f"{at} is one of {shape.enum}"
    elif PLAIN[shape.type_name] is not kind or getattr(shape, "enum", ()):
        yield f"{at} is {shape.type_name} {getattr(shape, 'enum', '')}"


def test_the_table_has_what_botocore_has() -> None:
    """The table has each of botocore's input members with its type, values and requirements."""
    assert list(differences(INPUT, DOCUMENT)) == []


def test_a_member_that_the_table_lacks_is_noticed() -> None:
    """The comparison finds a missing member, a wrong type, a missing value and an extra member."""
    wrong = Members(
        {name: kind for name, kind in DOCUMENT.kinds.items() if name != "pidMode"}
        | {"cpu": int, "ipcMode": Words(("host",)), "new": str}
    )
    assert [each.split()[0] for each in differences(INPUT, wrong)] == ["/new", "/cpu", "/pidMode", "/ipcMode"]


def test_what_ecs_only_says_is_what_botocore_has_in_answers_only() -> None:
    """The members left out of what is sent are exactly those that botocore has only in answers."""
    assert OUTPUT.members.keys() - INPUT.members.keys() == OUTPUT_ONLY
    assert DOCUMENT.foreign >= OUTPUT_ONLY


def test_keys_and_defaults_name_members() -> None:
    """Keys, requirements and defaults in the table refer to existing members."""
    waiting: list[Kind] = [DOCUMENT]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, Listed):
            assert not kind.keys or (
                isinstance(kind.item, Members) and kind.item.kinds.keys() >= set(kind.keys)
            )
            waiting.append(kind.item)
        elif isinstance(kind, Members):
            named = {
                *kind.required,
                *kind.layer0_required,
                *kind.ecs_only,
                *kind.defaults,
                *kind.ecs_defaults,
            }
            assert named <= kind.kinds.keys()
            waiting += kind.kinds.values()
