"""Image references by Docker's grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.image_reference import ImageReference, ecr_registry_of

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("busybox", (None, "busybox", None, None)),
        ("xfra/wait", (None, "xfra/wait", None, None)),
        ("127.0.0.1:5000/xfra-wait:1", ("127.0.0.1:5000", "xfra-wait", "1", None)),
        ("localhost/a", ("localhost", "a", None, None)),
        ("Upper/a", ("Upper", "a", None, None)),
        ("[::1]:5000/a", ("[::1]:5000", "a", None, None)),
        ("r.example/a/b__c:T-1.0", ("r.example", "a/b__c", "T-1.0", None)),
        (f"a@{DIGEST}", (None, "a", None, DIGEST)),
        (f"r.example:1/a:t@{DIGEST}", ("r.example:1", "a", "t", DIGEST)),
    ],
)
def test_a_reference_is_read_into_its_parts(text: str, parts: tuple[str | None, ...]) -> None:
    """Registry, path, tag and digest are told apart as Docker does."""
    reference = ImageReference.parse(text)
    assert (reference.registry, reference.repository, reference.tag, reference.digest) == parts
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    ["", " a", "A", "a:", "a:-x", "a b", "a//b", "a/", "/a", "a..b", "a_.b", f"a@{DIGEST[:-1]}", "a@md5:00", "a:" + "t" * 129,
     "r.example:x/a", "-a", "a\n", "https://a/b", "$(id)", "ä", "a" * 256],
)  # fmt: skip
def test_what_docker_refuses_is_refused_with_a_reason(text: str) -> None:
    """The error names the reference."""
    with pytest.raises(InvalidReference, match="refused"):
        ImageReference.parse(text)


@given(st.text(max_size=60))
def test_any_text_is_read_back_the_same_or_refused(text: str) -> None:
    """Reading never crashes, and never changes what it accepts."""
    try:
        assert str(ImageReference.parse(text)) == text
    except InvalidReference:
        pass


def test_pinning_drops_the_tag() -> None:
    """A pinned reference says one thing only."""
    assert str(ImageReference.parse("r.example/a:t").with_digest(DIGEST)) == f"r.example/a@{DIGEST}"


def test_an_ecr_host_tells_account_and_region() -> None:
    """Account and region are part of ECR's host names, and of no other's."""
    assert ecr_registry_of("111222333444.dkr.ecr.us-east-1.amazonaws.com") == ("111222333444", "us-east-1")
    assert ecr_registry_of("127.0.0.1:5000") is None
