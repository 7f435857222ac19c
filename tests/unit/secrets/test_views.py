"""Secrets are found behind escapes, markup, colours, line breaks and dumps that tools add."""

from __future__ import annotations

import base64
import io
import json
import pprint
import quopri
import re
import subprocess
import textwrap
from collections.abc import Callable
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from rich.console import Console

from ecr_widgets.secrets.redaction import SecretRegistry
from ecr_widgets.secrets.views import _ESCAPES, _TAGS, views

SECRET = "wJ4lr+Xq/K7MD\"NG/b&xR<1CYz\\n=KQ%zz'ZZ8"
PLAIN = "wJ4lrXqK7MDNGbxR1CYzzKQm41tZZ8vH2pLs90dF"


def rich_columns(secret: str) -> str:
    """A narrow terminal."""
    console = Console(file=io.StringIO(), width=24)
    console.print(secret, markup=False, highlight=False)
    return console.file.getvalue()  # type: ignore[attr-defined]


def xxd(secret: str) -> str:
    """Two bytes a group, with letters on the right."""
    raw = secret.encode()
    return "\n".join(
        f"{at:08x}: {raw[at : at + 16].hex(' ', -2):39}  {secret[at : at + 16]}"
        for at in range(0, len(raw), 16)
    )


def hexdump(secret: str) -> str:
    """As `hexdump -C` prints it."""
    raw = secret.encode()
    return "\n".join(
        f"{at:08x}  {raw[at : at + 8].hex(' '):23}  {raw[at + 8 : at + 16].hex(' '):23}  |{secret[at : at + 16]}|"
        for at in range(0, len(raw), 16)
    )


def od(*words: str) -> Callable[[str], str]:
    """As `od` prints it."""
    return lambda secret: (
        subprocess.run(["od", *words], input=secret, capture_output=True, text=True, check=True).stdout
    )


def pair64(secret: str) -> str:
    return base64.b64encode(f"app:{secret}".encode()).decode()


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


EXACT: dict[str, Callable[[str], str]] = {
    "percent, every letter": lambda s: "".join(f"%{ord(c):02X}" for c in s),
    "percent, lower case": lambda s: "".join(f"%{ord(c):02x}" for c in s),
    "percent, twice": lambda s: quote(quote(s, safe=""), safe=""),
    "percent, three times": lambda s: quote(quote(quote(s, safe=""), safe=""), safe=""),
    "entities": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "entities in hex": lambda s: "".join(f"&#x{ord(c):x};" for c in s),
    "HTML twice": lambda s: escape(escape(s)),
    "JSON's escapes": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "JSON's escapes, upper case": lambda s: "".join(f"\\u{ord(c):04X}" for c in s),
    "Go's JSON": lambda s: json.dumps(s)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c"),
    "PHP's JSON": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "JSON three times": lambda s: json.dumps(json.dumps(json.dumps(s)))[7:-7],
    "HTML in JSON": lambda s: json.dumps(escape(s).replace("/", "&#x2F;"))[1:-1],
    "escapes of bytes": lambda s: "".join(f"\\x{ord(c):02x}" for c in s),
    "octal": lambda s: "".join(f"\\{ord(c):03o}" for c in s),
    "a shell's": lambda s: re.sub(r"(\W)", r"\\\1", s),
    "hex with spaces": lambda s: s.encode().hex(" "),
    "hex with colons": lambda s: s.encode().hex(":").upper(),
    "numbers": lambda s: ", ".join(map(str, s.encode())),
    "UTF-16": lambda s: s.encode("utf-16-le").decode("latin-1")[:-1],
    "UTF-16 as Python shows it": lambda s: repr(s.encode("utf-16-le"))[2:-5],
    "UTF-16 in hex": lambda s: s.encode("utf-16-le").hex()[:-2],
    "a colour in it": lambda s: f"{s[:9]}\x1b[31m{s[9:]}",
    "a colour with colons": lambda s: f"{s[:9]}\x1b[38:2::255:0:0m{s[9:]}",
    "a cursor's code": lambda s: f"{s[:9]}\x1b[K{s[9:]}",
    "a link": lambda s: f"{s[:9]}\x1b]8;;\x1b\\{s[9:]}",
    "letters of no width": lambda s: "\u200b".join(s),
    "a soft hyphen": lambda s: f"{s[:9]}\u00ad{s[9:]}",
    "a letter taken back": lambda s: f"{s[:9]}x\b{s[9:]}",
    "tags": lambda s: "</i>".join(escape(c) for c in s),
    "C": lambda s: ", ".join(f"0x{ord(c):02x}" for c in s),
}
"""Forms of the secret alone: once it is masked, nothing else is left."""
AROUND: dict[str, Callable[[str], str]] = {
    "Pygments": lambda s: highlight(f"token = {s}", PythonLexer(), HtmlFormatter()),
    "rich, narrow": rich_columns,
    "lines of 16": lambda s: "\n".join(textwrap.wrap(s, 16)),
    "lines of 12, quoted": lambda s: "\n".join(f"> {line}" for line in textwrap.wrap(s, 12)),
    "a table's column": lambda s: "\n".join(f"│ key │ {line} │" if not at else f"│     │ {line} │" for at, line in enumerate(textwrap.wrap(s, 14))),
    "pprint of bytes": lambda s: pprint.pformat(s.encode(), width=24),
    "base64 of UTF-16": lambda s: base64.b64encode(s.encode("utf-16-le")).decode(),
    "base64 of UTF-16, the other order": lambda s: base64.b64encode(s.encode("utf-16-be")).decode(),
    "base64 twice": lambda s: in_base64(in_base64(s)),
    "a Kubernetes secret": lambda s: in_base64(json.dumps({"auths": {"r.example": {"auth": pair64(s)}}})),
    "base64 in lines": lambda s: base64.encodebytes((s * 4).encode()).decode(),
    "base64 in an address": lambda s: quote(pair64(s)),
    "base64 of an address": lambda s: in_base64(f"postgres://app:{quote(s, safe='')}@db/app"),
    "quoted-printable": lambda s: quopri.encodestring(f"password is = {s} =".encode(), quotetabs=True).decode(),
    "hex in lines": lambda s: "\n".join(textwrap.wrap(s.encode().hex(), 60)),
    "xxd": xxd,
    "hexdump -C": hexdump,
    "od": od(),
    "od -c": od("-c"),
    "od -b": od("-b"),
    "od -x": od("-x"),
    "od -t x1z": od("-A", "x", "-t", "x1z"),
    **{f"od -An {kind}": od("-An", "-t", kind) for kind in ("x1", "x1z", "x2", "o1", "c")},
    "xxd in JSON": lambda s: json.dumps(json.dumps(xxd(s))),
}  # fmt: skip
"""Forms with something around the secret that a mask may leave or remove."""


IN_PIECES = {
    name: form
    for name, form in (EXACT | AROUND).items()
    if name not in ("C", "a letter taken back", "xxd in JSON", "od") and "-An" not in name
}
"""Forms that are found wherever a stream is cut."""


@pytest.fixture(params=[SECRET, PLAIN], ids=["signs", "letters"])
def secret(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def registry(*secrets: str) -> SecretRegistry:
    known = SecretRegistry()
    for each in secrets:
        known.register(each)
    return known


def pieces(secret: str) -> list[str]:
    return [secret[at : at + 6] for at in range(len(secret) - 5)]


def undone(text: str) -> str:
    """Return everything that a patient reader might make of a text."""
    seen = [text, re.sub(r"[\s│>'\"b]|\\n", "", text), *(view.text for view in views(text))]
    for word in re.findall(r"[\w+/-]{12,}", text):
        for shift in range(4):
            part = word[shift:].replace("-", "+").replace("_", "/")
            opened = base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1")
            seen += [opened, opened.replace("\0", "")]
    return "\n".join(seen)


@pytest.mark.parametrize("form", EXACT.values(), ids=EXACT)
def test_what_tools_make_of_a_secret_is_masked(secret: str, form: Callable[[str], str]) -> None:
    """A secret is masked whole in each tool's form, and nothing beside it."""
    assert registry(secret).redact(f"before [{form(secret)}] after") == "before [***] after"


@pytest.mark.parametrize("form", [*EXACT.values(), *AROUND.values()], ids=[*EXACT, *AROUND])
def test_no_part_of_a_secret_is_left(secret: str, form: Callable[[str], str]) -> None:
    """No six characters in a row of a secret are left in each tool's form, and the same text without a secret is unchanged."""
    text = f"{form(secret)}\n"
    left = undone(registry(secret).redact(text))
    assert not [piece for piece in pieces(secret) if piece in left], left
    other = f"{form('an-ordinary-word-of-the-same-length-1234')}\n"
    assert registry(secret).redact(other) == other


@pytest.mark.parametrize("form", IN_PIECES.values(), ids=IN_PIECES)
def test_a_stream_cut_anywhere_shows_no_more(secret: str, form: Callable[[str], str]) -> None:
    """A stream cut anywhere is masked as well as the whole text."""
    known, text = registry(secret), f"a line\n{form(secret)}\nanother line\n"
    for cut in range(3, len(text), 5):
        safe = known.safe_length(text[:cut])
        left = undone(known.redact(text[:safe]) + known.redact(text[safe:]))
        assert not [piece for piece in pieces(secret) if piece in left], (cut, safe)


@pytest.mark.parametrize(
    "form", [str, json.dumps, repr, escape, quote, in_base64, lambda s: json.dumps(json.dumps(s))]
)
def test_a_secret_that_looks_escaped_itself_is_found(form: Callable[[str], str]) -> None:
    """A secret that itself looks like escapes or markup is found."""
    secret = r"wJ4%41lr&lt;Xq\n\u0041K7M<b>D\\NG%2Fb"
    assert len(registry(secret).redact(form(secret))) < 12


@given(st.text("\\\"/'nrtux0041&;#ltgampquot3xX27%F=D \ue000\x1b[m]\b\u200bé<b>", max_size=80))
def test_the_fast_way_and_the_exact_one_agree(text: str) -> None:
    """The fast and the exact way of undoing escapes give the same text."""
    for step in (*_ESCAPES, _TAGS):
        exact = step.pattern.sub(step.decode or "", text)
        fast = step.fast(text)
        assert fast is None or fast == exact
    for view in views(text):
        for at in range(len(view.text)):
            start, end = view.span(at, at + 1)
            assert 0 <= start < end <= len(text)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "unit",
    ["\x1b[", "\x1b]8;;", "%4", "%41", "&#", "&amp;", "\\", "\\\\u0041", "<a", "<a></a>", "=3D", ", 0x41", "\n00000 41", "\n00000010: 4141",
     "a\b", "\u200b", "\n ", " \n", "│\n", '"\n', "wJ4lrX\n", "\\n", "\\\\n", "0", " "],
)  # fmt: skip
def test_no_text_keeps_the_search_busy(unit: str) -> None:
    """Searching 250,000 characters that look like escapes ends without quadratic cost."""
    known, text = registry(SECRET, PLAIN), unit * (250_000 // len(unit))
    assert len(known.redact(text)) <= len(text)
    assert known.safe_length(text) <= len(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("secret", ["-" * 30, "a" * 30, "production-database-1", "wJ4lrX" * 5 + "7"])
def test_a_secret_like_an_ordinary_text_costs_little(secret: str) -> None:
    """A text with many beginnings of a secret is unchanged, and the whole secret in it is masked."""
    known = registry(secret)
    text = f"{secret[:7]} {secret[:8]}x\n" * 15_000
    assert known.redact(text) == text
    assert known.redact(f"{text}{secret}\n").endswith("\n***\n")
