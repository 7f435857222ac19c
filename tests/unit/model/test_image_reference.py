"""Image references in Docker's grammar."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.image_reference import (
    ImageReference,
    check_repository_name,
    check_tag,
)

DIGEST = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "f" * 128


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("busybox", (None, "busybox", None, None)),
        ("xfra/wait", (None, "xfra/wait", None, None)),
        ("a_b/c", (None, "a_b/c", None, None)),
        ("host.example", (None, "host.example", None, None)),
        ("host.example:5000", (None, "host.example", "5000", None)),
        ("host.example/a:5000", ("host.example", "a", "5000", None)),
        ("10.0.0.1:5000", (None, "10.0.0.1", "5000", None)),
        ("127.0.0.1:5000/xfra-wait:1", ("127.0.0.1:5000", "xfra-wait", "1", None)),
        ("host:5000/a/b/c", ("host:5000", "a/b/c", None, None)),
        ("localhost/a", ("localhost", "a", None, None)),
        ("localhost:1", (None, "localhost", "1", None)),
        ("Upper/a", ("Upper", "a", None, None)),
        ("xn--n3h.example/a:xn--n3h.example", ("xn--n3h.example", "a", "xn--n3h.example", None)),
        ("[::1]:5000/a", ("[::1]:5000", "a", None, None)),
        ("[2001:db8::1]/a:t", ("[2001:db8::1]", "a", "t", None)),
        ("r.example/a/b__c:T-1.0", ("r.example", "a/b__c", "T-1.0", None)),
        ("a---b/c.d:_", (None, "a---b/c.d", "_", None)),
        (f"a@{DIGEST}", (None, "a", None, DIGEST)),
        (f"a@{SHA512}", (None, "a", None, SHA512)),
        (f"r.example:1/a:t@{DIGEST}", ("r.example:1", "a", "t", DIGEST)),
        ("a:" + "t" * 128, (None, "a", "t" * 128, None)),
        ("r.example/" + "a" * 255, ("r.example", "a" * 255, None, None)),
        ("a" * 247, (None, "a" * 247, None, None)),
    ],
)
def test_a_reference_is_read_into_its_parts(text: str, parts: tuple[str | None, ...]) -> None:
    """Registry, path, tag and digest are separated as Docker does, and the text is kept."""
    reference = ImageReference.parse(text)
    assert (reference.registry, reference.repository, reference.tag, reference.digest) == parts
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", " a", "a\n", "a\t", "A", "a:", "a:-x", "a:.x", "a b", "a//b", "a/", "/a", "a..b", "a_.b", "a___b", "-a", "a-",
     "a/B", "r.example/A", ":t", f"@{DIGEST}", "a:b:c", "a:t/b", "a:" + "t" * 129, f"a@{DIGEST[:-1]}", f"a@{DIGEST}0",
     f"a@{DIGEST.upper()}", f"a@{DIGEST}@{DIGEST}", "a@md5:00", "a@", "r.example:x/a", "[::1]", "[::1]:5000", "[ab]/c",
     "[fe80::1%eth0]:5000/a", "-r.example/a", "r-.example/a", "https://a/b", "a?b", "$(id)", "a;id", "ä", "a:ä", "\uff41",
     "\u0661/a", "a\0", "a" * 248, "r.example/" + "a" * 256, "ab" * 32, DIGEST],
)  # fmt: skip
def test_what_docker_refuses_is_refused_with_a_reason(text: str) -> None:
    """A reference that Docker refuses is refused with the reference and a reason."""
    with pytest.raises(InvalidReference, match=r"refused: ."):
        ImageReference.parse(text)


def test_a_name_that_only_looks_like_a_host_is_refused() -> None:
    """`a_b.example/c` is refused: Docker would take it as a path in its own registry, which no one means."""
    with pytest.raises(InvalidReference, match=r"'a_b\.example' is not a registry host"):
        ImageReference.parse("a_b.example/c")


@pytest.mark.parametrize("text", ["a" * 60000, "a-" * 30000, "a-" * 30000 + "./b", "a@" + "f" * 60000])
def test_a_long_reference_gives_a_short_message(text: str) -> None:
    """A long invalid reference gives a short message."""
    with pytest.raises(InvalidReference) as caught:
        ImageReference.parse(text)
    assert len(str(caught.value)) < 1000


def test_what_cannot_be_seen_shows_as_an_escape() -> None:
    """Control characters in a reference are escaped in the message."""
    with pytest.raises(InvalidReference) as caught:
        ImageReference.parse("a\x1b[31m\u202eb")
    assert str(caught.value).isprintable()


COMPONENT = st.from_regex(r"[a-z0-9]{1,4}((\.|_|__|-{1,2})[a-z0-9]{1,3}){0,2}", fullmatch=True)
REGISTRIES = st.none() | st.from_regex(
    r"(localhost|[A-Z0-9]([a-zA-Z0-9-]{0,3}[a-z0-9])?\.[a-z]{2,3}|\[[0-9a-f:]{2,6}:\])(:[0-9]{1,5})?",
    fullmatch=True,
)
TAGS = st.none() | st.from_regex(re.compile(r"[\w][\w.-]{0,9}", re.ASCII), fullmatch=True)


@given(
    registry=REGISTRIES,
    path=st.lists(COMPONENT, min_size=1, max_size=3),
    tag=TAGS,
    digest=st.sampled_from([None, DIGEST, SHA512]),
)
def test_every_reference_is_read_back_as_it_was_built(
    registry: str | None, path: list[str], tag: str | None, digest: str | None
) -> None:
    """A reference that is written and read again is the same."""
    if registry is None and len(path) > 1 and ("." in path[0] or path[0] == "localhost"):
        path = ["x", *path]  # else the first component would be a registry
    built = ImageReference(registry, "/".join(path), tag, digest)
    assert ImageReference.parse(str(built)) == built


def docker_takes(text: str) -> bool:
    """Decide as Docker does: split the registry off, complete the name, match one expression."""
    component = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    part = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
    host = rf"(?:{part}(?:\.{part})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
    digest = r"(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})"
    whole = rf"({host})/({component}(?:/{component})*)(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?(?:@{digest})?"
    first, slash, rest = text.partition("/")
    if not slash or not (first == "localhost" or re.search(r"[.:]", first) or first.lower() != first):
        first, rest = "docker.io", text
    if first in {"docker.io", "index.docker.io"} and "/" not in rest:
        rest = f"library/{rest}"
    match = re.fullmatch(whole, f"{first}/{rest}")
    return match is not None and match[1] == first and len(match[2]) <= 255


@given(
    st.lists(st.sampled_from([*"aA0._-/:@[] ", "__", "localhost", "r.example", "docker.io", f"@{DIGEST}"]), max_size=10)
    .map("".join)
)  # fmt: skip
@example("docker.io/" + "a" * 248)
@example("index.docker.io/" + "a" * 247)
@example("docker.io/a/" + "a" * 253)
def test_the_verdict_is_dockers(text: str) -> None:
    """References made of the grammar's characters are accepted exactly if Docker's procedure accepts them."""
    try:
        ImageReference.parse(text)
    except InvalidReference:
        assert not docker_takes(text)
    else:
        assert docker_takes(text)


@given(st.text(max_size=60))
def test_any_text_is_read_back_the_same_or_refused(text: str) -> None:
    """Any text is either refused or read back unchanged."""
    try:
        assert str(ImageReference.parse(text)) == text
    except InvalidReference:
        pass


def test_pinning_drops_the_tag_and_tagging_the_digest() -> None:
    """Pinning a reference drops its tag, and tagging it drops its digest."""
    tagged = ImageReference.parse("r.example/a:t")
    pinned = tagged.with_digest(DIGEST)
    assert str(pinned) == f"r.example/a@{DIGEST}"
    assert pinned.with_tag("t") == tagged
    assert pinned.name == tagged.name == "r.example/a"


@pytest.mark.parametrize("digest", ["", "latest", "sha256:00", f"{DIGEST}\n"])
def test_only_a_digest_pins(digest: str) -> None:
    """Pinning to anything but a digest is refused."""
    with pytest.raises(InvalidReference, match=r"not a digest|white space"):
        ImageReference.parse("a").with_digest(digest)


@pytest.mark.parametrize("tag", ["", "-x", ".x", "a/b", "a:b", "ä", "t" * 129, "t\n", "a@b"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    """A tag that is empty, too long or has invalid characters is refused."""
    with pytest.raises(InvalidReference, match="is not a tag"):
        check_tag(tag)


@pytest.mark.parametrize("name", ["ab", "xfra/wait", "0a", "a__b/c--d.e", "a" * 256])
def test_a_repository_name_of_ecr_is_given_back(name: str) -> None:
    """A valid ECR repository name, of 2 to 256 characters, is returned unchanged."""
    assert check_repository_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "a", "a" * 257, "A/b", "a/", "a//b", "a b", "a:b", "-ab", "ab_", "a..b", "ab\n"]
)
def test_a_name_that_ecr_refuses_is_refused(name: str) -> None:
    """A repository name that ECR does not accept is refused."""
    with pytest.raises(InvalidReference, match="not a repository name that ECR accepts"):
        check_repository_name(name)
