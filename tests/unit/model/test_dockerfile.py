"""The Dockerfile reader: lines, flags, here-documents, base images and features of BuildKit."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.model.dockerfile import Dockerfile
from ecr_widgets.model.dockerfile_needs import needs_of
from ecr_widgets.model.dockerfile_words import expand, split_words, unquoted

CODE = "https://code.example/x.git"


def read(text: str) -> Dockerfile:
    return Dockerfile.parse(text.encode())


def told(text: str, build_args: Mapping[str, str] | None = None) -> list[tuple[int, str]]:
    return [(need.line, need.what) for need in needs_of(read(text), build_args or {})]


def test_lines_are_joined_and_counted_from_the_first() -> None:
    """A continued instruction has the number of its first line, across comments and empty lines."""
    found = read(
        '\ufeff\n# remark\nFROM busybox\n\nRUN one \\\n  # within\n\n  two\r\nCMD ["sh"]\n'
    ).instructions
    assert [(each.line, each.name, each.text.split()) for each in found] == [
        (3, "FROM", ["busybox"]),
        (5, "RUN", ["one", "two"]),
        (9, "CMD", ['["sh"]']),
    ]


def test_the_escape_directive_changes_how_a_line_goes_on() -> None:
    """With a backtick as escape character, a backslash at the end of a line does not continue it."""
    text = "# escape=`\nFROM busybox\nRUN dir C:\\\nRUN one `\n two\n"
    assert [each.name for each in read(text).instructions] == ["FROM", "RUN", "RUN"]
    assert [each.name for each in read(text.replace("# escape=`", "# remark")).instructions] == [
        "FROM",
        "RUN",
        "TWO",
    ]


def test_a_backslash_that_is_escaped_ends_its_line() -> None:
    """An escaped backslash at the end of a line does not continue it."""
    assert [each.name for each in read("FROM a\nRUN echo x\\\\\nUSER y\n").instructions] == [
        "FROM",
        "RUN",
        "USER",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("RUN <<EOF", ("EOF",)),
        ("RUN cat <<'EOF' > /x && cat <<-\"E F\" >> /x", ("EOF", "E F")),
        ("RUN cat 3<<EOF", ("EOF",)),
        ("COPY <<a <<b /", ("a", "b")),
        ("ADD --chmod=1 <<a /", ("a",)),
        ("ONBUILD RUN <<EOF", ("EOF",)),
        ("run <<EOF", ("EOF",)),
        ('RUN echo "<<EOF"', ()),
        ("RUN cat<<EOF", ()),
        ("RUN cat <<<EOF", ()),
        ('RUN ["cat", "<<EOF"]', ()),
        ("CMD <<EOF", ()),
        ("RUN echo \\<<EOF", ()),
    ],
)
def test_here_documents_are_found_as_buildkit_finds_them(line: str, words: tuple[str, ...]) -> None:
    """A here-document is an unquoted word of its own in RUN, COPY or ADD, not in JSON form, as for BuildKit."""
    assert read(f"FROM busybox\n{line}\n").instructions[1].here_documents == words


def test_the_text_of_here_documents_holds_no_instructions() -> None:
    """A here-document ends at its word alone on a line, after tabs with `<<-`; its text contains no instructions."""
    text = (
        "FROM busybox\nRUN cat <<A <<-B\nFROM nobody\n# none\n A\nA\nCOPY --from=nobody x y\n\t\tB\nUSER me\n"
    )
    found = read(text)
    assert [(each.line, each.name) for each in found.instructions] == [(1, "FROM"), (2, "RUN"), (9, "USER")]
    assert [each.image for each in found.images({})] == ["busybox"]


def test_flags_end_at_the_first_word_that_is_none() -> None:
    """Flags end at the first other word or at `--`, and their values may be quoted."""
    run = read('FROM a\nRUN --mount=type=secret,id=x --Network="none" cmd --not=a-flag\n').instructions[1]
    assert run.flags == (("mount", "type=secret,id=x"), ("network", "none"))
    assert run.text == "cmd --not=a-flag"
    assert read("FROM a\nHEALTHCHECK -- --x\n").instructions[1].flags == ()


def test_the_images_that_a_build_takes_are_named_with_their_lines() -> None:
    """A build's images come from FROM with ARGs, COPY --from, mounts and the frontend, but not from stages or scratch."""
    text = """# syntax=registry.example/frontend:1
ARG BASE=busybox VERSION
ARG FULL=${BASE}:${VERSION:-1}
FROM --platform=linux/amd64 $FULL AS Build
FROM scratch
FROM build AS last
COPY --from=BUILD a /
COPY --from=0 a /
COPY --from=other/tools:2 a /
RUN --mount=type=bind,from=mounted/img,target=/x true
RUN --mount=from=build,target=/x true
COPY --from=7 a /
"""
    images = [(each.line, each.image) for each in read(text).images({"VERSION": "9"})]
    assert images == [
        (1, "registry.example/frontend:1"),
        (4, "busybox:9"),
        (9, "other/tools:2"),
        (10, "mounted/img"),
        (12, "7"),
    ]
    assert read(text).images({})[1].image == "busybox:1"
    assert read(text).images({"BASE": "mine"})[1].image == "mine:1"


def test_directives_stand_at_the_top_only() -> None:
    """Directives are only read before the first instruction, empty line or other comment; a shebang line may precede them."""
    assert read("# Syntax = a/b:1 \n#escape=`\nFROM x").syntax == "a/b:1"
    assert read("#!/usr/bin/env x\n# syntax=a/b:1\nFROM x").syntax == "a/b:1"
    assert read("# remark\n# syntax=a/b:1\nFROM x").syntax == ""
    assert read("\n# syntax=a/b:1\nFROM x").syntax == ""


@pytest.mark.parametrize(
    ("line", "need"),
    [
        ("RUN <<EOF\nx\nEOF", "the here-document `RUN <<EOF`"),
        ("COPY <<EOF /x\nx\nEOF", "the here-document `COPY <<EOF`"),
        ("ONBUILD RUN <<EOF\nx\nEOF", "the here-document `RUN <<EOF`"),
        ("RUN --mount=type=cache,target=/c x", "`RUN --mount`"),
        ("RUN --network=none x", "`RUN --network`"),
        ("RUN --security=insecure x", "`RUN --security`"),
        ("COPY --link a b", "`COPY --link`"),
        ("COPY --chmod=755 a b", "`COPY --chmod`"),
        ("COPY --parents a b", "`COPY --parents`"),
        ("COPY --of-tomorrow a b", "`COPY --of-tomorrow`"),
        ("ADD --checksum=sha256:0 https://x/y /", "`ADD --checksum`"),
        ("ADD --keep-git-dir=true https://x/y.git /", "`ADD --keep-git-dir`"),
        (f"ADD {CODE}#main /", "`ADD` of a git repository"),
        ("ADD git@code.example:x/y.git /", "`ADD` of a git repository"),
        ("ONBUILD COPY --link a b", "`COPY --link`"),
        ("FROM --platform=$BUILDPLATFORM busybox", "`$BUILDPLATFORM` in FROM"),
        ("FROM base-${TARGETARCH}", "`$TARGETARCH` in FROM"),
        ("ARG TARGETARCH", "a value for `ARG TARGETARCH`, which only BuildKit sets"),
    ],
)
def test_what_the_classic_builder_would_drop_or_refuse_is_found(line: str, need: str) -> None:
    """Features that the classic builder lacks are found with their line."""
    assert (2, need) in told(f"FROM busybox\n{line}\n")


def test_what_the_classic_builder_does_is_no_need() -> None:
    """What the classic builder supports, including Docker's own frontend, is not reported as a feature of BuildKit."""
    text = """# syntax=docker/dockerfile:1.7
# check=skip=all
ARG P=linux/amd64
FROM --platform=$P busybox AS one
ARG TARGETARCH=amd64
ARG TARGETOS
HEALTHCHECK --interval=5s --retries=2 CMD true
ADD --chown=1:1 https://code.example/x.tar.gz /
COPY --from=one --chown=0 a b
ONBUILD COPY a b
RUN echo "--mount" '<<EOF'
"""
    assert told(text, {"TARGETOS": "linux"}) == []


@pytest.mark.parametrize(
    ("line", "need"),
    [
        ("# syntax=docker/dockerfile:1-labs", "the frontend 'docker/dockerfile:1-labs'"),
        ("# syntax=registry.example/mine", "the frontend 'registry.example/mine'"),
        ("# check=skip=all;error=true", "`check=error=true`"),
    ],
)
def test_directives_that_change_the_outcome_are_needs(line: str, need: str) -> None:
    """A custom frontend, and checks that fail the build, are found."""
    assert told(f"{line}\nFROM busybox\n") == [(1, need)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A-$B", "a-"),
        ("${A}x", "ax"),
        ("${B:-d}${A:-d}", "da"),
        ("${E:-d}${E-d}", "d"),
        ("${A:+y}${B:+n}${E+y}", "yy"),
        ("\\$A", "$A"),
        ("${A#a}", "${A#a}"),
    ],
)
def test_variables_are_replaced_as_in_a_shell(text: str, value: str) -> None:
    """Variables are expanded as in a shell, with defaults and alternatives; an unknown form is left as it is."""
    assert expand(text, {"A": "a", "E": ""}) == value


def test_words_keep_and_lose_their_quotes() -> None:
    """Quotes and escapes keep white space within a word, and unquoting removes them."""
    words = split_words("""a 'b c' "d \\" e"f g\\ h '""")
    assert words == ("a", "'b c'", '"d \\" e"f', "g\\ h", "'")
    assert [unquoted(word) for word in words[:4]] == ["a", "b c", 'd " ef', "g h"]


@given(st.binary(max_size=400) | st.text("RUNFOMCPY <-E\\\n#=\"'`$-{}:ab\t\r", max_size=200).map(str.encode))
def test_any_bytes_are_read(content: bytes) -> None:
    """Any bytes can be parsed without an error."""
    found = Dockerfile.parse(content)
    found.images({})
    needs_of(found, {})
