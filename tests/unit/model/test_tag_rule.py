"""Whether tags can move, and which are exceptions."""

from __future__ import annotations

import pytest

from ecr_widgets.errors import InputError
from ecr_widgets.model.tag_rule import TagRule, read_exceptions


@pytest.mark.parametrize(
    ("rule", "wire", "words"),
    [
        (TagRule(immutable=False), "MUTABLE", "can move"),
        (TagRule(immutable=True), "IMMUTABLE", "immutable"),
        (
            TagRule(immutable=True, exceptions=("dev-*", "pr-*")),
            "IMMUTABLE_WITH_EXCLUSION",
            "immutable but dev-*, pr-*",
        ),
        (TagRule(immutable=False, exceptions=("v*",)), "MUTABLE_WITH_EXCLUSION", "can move but v*"),
    ],
)
def test_each_of_ecrs_four_settings_has_its_words(rule: TagRule, wire: str, words: str) -> None:
    """Each of ECR's four settings has its wire name and its words, with the exceptions."""
    assert (rule.wire, str(rule)) == (wire, words)


def test_patterns_are_read_from_a_text_or_a_list() -> None:
    """Exceptions are separated by spaces or commas or given as a list, and repeated ones are dropped."""
    assert (
        read_exceptions(" dev-*, test-*  dev-* ")
        == ("dev-*", "test-*")
        == read_exceptions(["dev-*", "test-*"])
    )
    assert read_exceptions("") == ()


@pytest.mark.parametrize("given", ["dev*-*-*", "a/b", "[a]", "x" * 129, "a b c d e f"])
def test_patterns_that_ecr_refuses_are_refused(given: str) -> None:
    """Patterns that ECR does not accept are refused."""
    with pytest.raises(InputError):
        read_exceptions(given)


@pytest.mark.parametrize(
    ("immutable", "exceptions", "tag", "told"),
    [
        (True, (), "1", True),
        (False, (), "1", False),
        (True, ("dev-*",), "dev-7", False),
        (True, ("dev-*",), "1-dev-7", True),
        (True, ("dev-*", "*latest*"), "my-latest.1", False),
        (False, ("v*",), "v1", True),
        (False, ("v*",), "1", False),
        (True, ("1.0",), "1x0", True),
    ],
)
def test_a_tag_is_immutable_by_the_setting_and_its_exceptions(
    exceptions: tuple[str, ...], tag: str, *, immutable: bool, told: bool
) -> None:
    """A tag that matches an exception has the opposite setting; only `*` is a wildcard."""
    assert TagRule(immutable, exceptions).is_immutable(tag) is told
