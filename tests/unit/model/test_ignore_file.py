"""Ignore files as Docker's matcher reads them. The expected results were observed with `docker buildx build`."""

from __future__ import annotations

import pytest

from ecr_widgets.model.ignore_file import IgnoreFile


def ignored(content: bytes, *paths: str) -> list[str]:
    file = IgnoreFile.parse(content)
    return [path for path in paths if file.ignores(path)]


@pytest.mark.parametrize(
    ("content", "left_out", "kept"),
    [
        (b"\xef\xbb\xbf.env\nlib", (".env", "lib", "lib/a"), ("a",)),
        (b"# a\n #b\nc", ("#b", "c"), ("a", "# a")),
        (b"\\#name\n\\!x", ("#name", "!x"), ("name", "x")),
        (b"  a.py  \r\n\r\nb.py\r\n", ("a.py", "b.py"), ("c",)),
        (b"/a\n./b\nc/\nd/../e\nf//g", ("a", "b", "c", "c/x", "e", "f/g"), ("d", "x/a")),
        (b"[!a].py", ("a.py", "!.py"), ("b.py",)),
        (b"[^a].py", ("b.py",), ("a.py",)),
        (b"[a-c]x[\\]]", ("ax]", "bx]"), ("dx]",)),
        (b"?.py", ("a.py",), ("ab.py", "/.py")),
        (b"a*", ("a", "ab", "ab/c"), ("x/a",)),
        (b"*/a*", ("x/a", "x/ab/c"), ("a", "x/y/a")),
        (b"**/*.md", ("a.md", "x/a.md", "x/y/a.md"), ("a.txt",)),
        (b"**/x", ("x", "a/x", "a/x/b"), ("ax",)),
        (b"**x", ("x", "ax", "a/bx"), ("xa",)),
        (b"**", ("a", "a/b"), ()),
        (b"a/**", ("a/b", "a/b/c"), ("a",)),
        (b"a/**/b", ("a/b", "a/x/b", "a/x/y/b"), ("ab", "b")),
        (b"a**", ("a", "ab", "a/b"), ("b",)),
        (b"*\n!a/b", ("x", "a", "a/c"), ("a/b", "a/b/c")),
        (b"*\n!**/*.md", ("a", "a/b.txt"), ("a.md", "a/b/c.md")),
        (b"!a\na", ("a",), ("b",)),
        (b"a\n!a\na/b", ("a/b",), ("a", "a/c")),
        (b"! a\n", (), ("a",)),
        (b".\n..\n../a", (), ("a",)),
        (b"a\\\\b", ("a\\b",), ("ab",)),
        (b"a^b\n(x|y)\n{p,q}\nr.s", ("a^b", "(x|y)", "{p,q}", "r.s"), ("x", "p", "rXs")),
    ],
)
def test_a_pattern_leaves_out_what_docker_leaves_out(
    content: bytes, left_out: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    """The last pattern that matches a path or a parent folder decides, as for Docker."""
    assert ignored(content, *left_out, *kept) == list(left_out)


@pytest.mark.parametrize(
    "content", [b"a[.py", b"[]x]", b"[-a]", b"[a-]", b"a\\", b"[z-a]", b"!", b"[[:alpha:]]", b"\\q"]
)
def test_what_is_no_pattern_is_refused(content: bytes) -> None:
    """An invalid pattern is refused with its line; so is a named character class, although Docker accepts it."""
    with pytest.raises(ValueError, match="line 2: "):
        IgnoreFile.parse(b"fine\n" + content)
