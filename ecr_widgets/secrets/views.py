"""Views of a text without what may hide a secret in it: the escapes, marks, colours and dumps that tools add.

A secret is searched for in each view, and masked in the text itself. Positions are only worked out if one is found.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from html.entities import html5

from ecr_widgets.model.text import IGNORABLE

_ROUNDS = 3
"""How many levels of nested escapes are undone, such as JSON within JSON within HTML."""
_DUMP_WIDTH, _WIDEST_DUMP = 16, 256


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that may hide a secret: whether a text may have it, what it looks like, and what replaces it in the view."""

    is_in: Callable[[str], bool]
    pattern: re.Pattern[str]
    decode: Callable[[re.Match[str]], str] | None = None
    """Returns what is shown instead of it; nothing by default."""
    fast: Callable[[str], str | None] = lambda _: None
    """Returns a whole text with all of it replaced; None if the text has uncommon cases."""

    def __call__(self, text: str) -> str:
        if not self.is_in(text):
            return text
        made = self.fast(text)
        return made if made is not None else self.pattern.sub(self.decode or "", text)

    def shown(self, match: re.Match[str]) -> int:
        """How many characters replace it."""
        return len(self.decode(match)) if self.decode is not None else 0


class View:
    """A text after some steps, and where its parts are in the original text."""

    def __init__(self, text: str, made: str, *steps: _Step, base: View | None = None) -> None:
        self.text = made
        self._given, self.steps, self._base = text, steps, base

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the view's characters from start to end, at least one, are in the original text."""
        for places in reversed(self._places):
            start, end = places.span(start, end)
        return self._base.span(start, end) if self._base is not None else (start, end)

    @cached_property
    def _places(self) -> list[_Places]:
        text, places = self._given, []
        for step in self.steps:
            if step.is_in(text):
                places.append(_Places(step, text))
                text = step(text)
        return places


class _Places:
    def __init__(self, step: _Step, text: str) -> None:
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int, int]] = []
        moved = 0
        for match in step.pattern.finditer(text):
            length, shown = match.end() - match.start(), step.shown(match)
            self._starts.append(match.start() - moved)
            self._pieces.append((match.start(), length, shown))
            moved += length - shown

    def span(self, start: int, end: int) -> tuple[int, int]:
        return self._place(start)[0], self._place(end - 1)[1]

    def _place(self, at: int) -> tuple[int, int]:
        number = bisect_right(self._starts, at) - 1
        if number < 0:
            return at, at + 1
        start, length, shown = self._pieces[number]
        inside = at - self._starts[number]
        if inside >= shown:
            place = start + length + inside - shown
            return place, place + 1
        if length % shown:
            # The codes differ in length: take all of them.
            return start, start + length
        unit = length // shown
        return start + inside * unit, start + (inside + 1) * unit


class _Dump:
    """The bytes that the lines of a dump show, read in one way. Whole lines are masked."""

    def __init__(self, lines: list[re.Match[str]], read: Callable[[re.Match[str]], str]) -> None:
        pieces = [read(line) for line in lines]
        self.text = "".join(pieces)
        self._lines = lines
        self._starts: list[int] = []
        at = 0
        for piece in pieces:
            self._starts.append(at)
            at += len(piece)

    def span(self, start: int, end: int) -> tuple[int, int]:
        first, last = (self._lines[bisect_right(self._starts, at) - 1] for at in (start, end - 1))
        return first.start(), last.end()


def views(text: str) -> Iterator[View | _Dump | _Within]:
    """The text with all escapes undone, once for each level of them, and the bytes of dumps in it."""
    yield from _dumps(text)
    seen: View | None = None
    for _ in range(_ROUNDS):
        given = seen.text if seen is not None else text
        made = given
        for step in _ESCAPES:
            made = step(made)
        if made != given:
            seen = View(given, made, *_ESCAPES, base=seen)
            yield seen
            for dump in _dumps(made):
                yield _Within(seen, dump)
        if _TAGS.is_in(made):
            yield View(made, _TAGS(made), _TAGS, base=seen)
        if made == given:
            break


class _Within:
    """A view of a view."""

    def __init__(self, base: View, inner: _Dump) -> None:
        self.text = inner.text
        self._base, self._inner = base, inner

    def span(self, start: int, end: int) -> tuple[int, int]:
        return self._base.span(*self._inner.span(start, end))


def joined(text: str, *, quoted: bool = False, may_go_on: bool = False) -> View:
    """The text without its line breaks, and without what tables put around them.

    Args:
        quoted: Whether each line's part has its own quotes, which are not part of the text.

        may_go_on: Whether a line break may follow the text.
    """
    step = _BREAKS[quoted, may_go_on]
    return View(text, step(text), step)


def cut_off(text: str) -> int:
    """Where something begins that the text's end may have cut in two: an escape, a colour code, a tag, a line of a dump.

    The text's length if there is nothing.
    """
    tail_at = max(0, len(text) - _LONGEST_ESCAPE)
    cut = _CUT.search(text, tail_at)
    at = cut.start() if cut is not None else len(text)
    line = text.rfind("\n") + 1
    before = text.rfind("\n", 0, max(0, line - 1)) + 1
    if line < len(text) and (_DUMP_LINE.match(text, before) or _OFFSET.match(text, line)):
        at = min(at, line)
    return at


def shows_nothing_alone(text: str) -> bool:
    """Whether what was cut off is a terminal code or a line of a dump, which cannot be read without the rest."""
    return text.startswith(("\x1b", "\x9b")) or _OFFSET.match(text) is not None


_LONGEST_ESCAPE = 400
_CUT = re.compile(
    r"(?:\x1b(?:\[[0-?]*[ -/]*)?|\x9b[0-?]*[ -/]*|\x1b\][^\x07\x1b]*\x1b?|&(?:#[xX]?)?\w{0,8}|%[0-9A-Fa-f]?"
    r"|\\+(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?|[0-3][0-7]?)?|=[0-9A-F]?|<[A-Za-z/!?][^<>]*|<)\Z"
)


def _dumps(text: str) -> Iterator[_Dump]:
    if _DUMP_BEGINS.search(text) is not None or _DUMP_LINE.match(text) is not None:
        lines = list(_DUMP_LINE.finditer(text))
        yield from _read(lines, _width_of(lines))
    if _BARE_BEGINS.search(text) is not None:
        # Nothing says how wide a dump without offsets is; what follows the bytes is not part of the match.
        yield from _read(list(_BARE_LINE.finditer(text)), _WIDEST_DUMP)


def _read(lines: list[re.Match[str]], width: int) -> Iterator[_Dump]:
    if lines:
        for read in _readings(lines[0]):
            dump = _Dump(lines, lambda line, read=read: read(line, width))  # type: ignore[misc]
            if dump.text:
                yield dump


def _readings(line: re.Match[str]) -> tuple[Callable[[re.Match[str], int], str], ...]:
    """The ways in which the lines of a dump may be read, by its first line."""
    if len(line["body"].split(maxsplit=1)[0]) in (3, 6):
        return (_octals,)
    tokens = _hex_tokens(line, _DUMP_WIDTH)
    if not tokens:
        return (_letters,)
    return (_hex_bytes,) if len(tokens[0]) == 1 else (_hex_bytes, _hex_words)


def _width_of(lines: list[re.Match[str]]) -> int:
    if len(lines) > 1:
        width = int(lines[1]["at"], 16) - int(lines[0]["at"], 16)
        if 0 < width <= _WIDEST_DUMP:
            return width
    return _DUMP_WIDTH


def _hex_tokens(line: re.Match[str], width: int) -> list[bytes]:
    found, count = [], 0
    match = _HEX_TOKENS.match(line["body"])
    for token in match[0].split() if match else ():
        if len(token) % 2 or count >= width:
            break
        found.append(bytes.fromhex(token))
        count += len(found[-1])
    return found


def _hex_bytes(line: re.Match[str], width: int) -> str:
    return b"".join(_hex_tokens(line, width)).decode("latin-1")


def _hex_words(line: re.Match[str], width: int) -> str:
    """Little-endian words: the last byte comes first."""
    return b"".join(token[::-1] for token in _hex_tokens(line, width)).decode("latin-1")


def _octals(line: re.Match[str], _: int) -> str:
    match = _OCTAL_TOKENS.match(line["body"])
    tokens = match[0].split() if match else ()
    return "".join(
        chr(value & 255) + (chr(value >> 8) if len(token) == 6 else "")
        for token in tokens
        if (value := int(token, 8)) < 65536
    )


def _letters(line: re.Match[str], width: int) -> str:
    """Letters in columns of four."""
    rest = line.string[line.end("at") : line.end()]
    cells = [rest[at : at + 4].strip() for at in range(0, min(len(rest), 4 * width), 4)]
    return "".join(cell if len(cell) == 1 else "\0" for cell in cells)


def _entity(match: re.Match[str]) -> str:
    code = match["code"]
    if code is None:
        return html5.get(match["name"] + ";", match[0])
    number = int(code[1:], 16) if code[0] in "xX" else int(code)
    return chr(number) if number < 0x110000 else match[0]


def _percent(match: re.Match[str]) -> str:
    return _decoded(bytes.fromhex(match[0].replace("%", "")))


def _hex_list(match: re.Match[str]) -> str:
    return _decoded(bytes(int(each, 16) for each in _HEX_ITEM.findall(match[0])))


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _backslash(match: re.Match[str]) -> str:
    known = _SHORT.get(match[0])
    if known is not None:
        return known
    if match["octal"]:
        return chr(int(match["octal"], 8))
    code = match["u"] or match["braced"] or match["x"]
    return chr(int(code, 16)) if code else match[0][1:]


def _common_entities(text: str) -> str | None:
    if _RARE_ENTITY.search(text) is not None:
        return None
    for coded, sign in _ENTITIES.items():
        text = text.replace(coded, sign)
    return text


def _common_backslashes(text: str) -> str | None:
    if _STAND_IN in text:
        return None
    text = text.replace("\\\\", _STAND_IN)
    if _RARE_BACKSLASH.search(text) is not None:
        return None
    for coded, sign in _SHORT.items():
        text = text.replace(coded, sign)
    return text.replace(_STAND_IN, "\\")


# What encodes & comes last, since its result is decoded in the next round.
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&#39;": "'", "&#34;": '"', "&amp;": "&"}
_RARE_ENTITY = re.compile(r"&(?!(?:lt|gt|quot|amp|#x27|#39|#34);)(?:#[\dxX]|[A-Za-z]{2,8};)")
_STAND_IN = "\ue000"
_RARE_BACKSLASH = re.compile(r"\\(?![nrt\"/'])")
_SHORT = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\/": "/", "\\'": "'"}
_IGNORED = re.compile(f"[\x9b{IGNORABLE}]")
AT_BREAKS = frozenset(" \t\r\n\"'=\\│┃║|>#bB")
"""What lines may begin and end with, apart from their content."""
_BREAKS = {
    (quoted, may_go_on): _Step(
        (lambda _: True) if may_go_on else (lambda text: "\n" in text),
        re.compile(
            rf"(?<![ \t│┃║|\\]){before}[ \t│┃║|\\]*+(?:\r?\n[\s│┃║|>#]*{after}{'|' if may_go_on else ''}"
            + (r"\r?\Z)" if may_go_on else ")")
        ),
    )
    for quoted, before, after in ((False, "=?", ""), (True, "[\"'=]?", "(?:[bB]?[\"'])?"))
    for may_go_on in (False, True)
}
_TAGS = _Step(
    lambda text: "<" in text and any(mark in text for mark in ("</", "/>", "<br", "<wbr")),
    re.compile(r"<[A-Za-z/!?][^<>]*+>"),
)
_ESCAPES = (
    _Step(
        lambda text: "\x1b" in text,
        re.compile(
            r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[()*+]\w|[=>78A-Z])",
        ),
    ),
    _Step(
        lambda text: "\b" in text or (not text.isascii() and _IGNORED.search(text) is not None),
        re.compile(rf"\x9b[0-?]*+[ -/]*+[@-~]|[^\x08]\x08|[{IGNORABLE}]"),
    ),
    _Step(
        lambda text: "&" in text,
        re.compile(r"&(?:#(?P<code>\d{1,7}|[xX][0-9a-fA-F]{1,6});?|(?P<name>[A-Za-z]{2,8});)"),
        _entity,
        _common_entities,
    ),
    _Step(lambda text: "%" in text, re.compile(r"(?:%[0-9A-Fa-f]{2})+"), _percent),
    _Step(
        lambda text: "\\" in text,
        re.compile(
            r"\\(?:u(?P<u>[0-9a-fA-F]{4})|u\{(?P<braced>[0-9a-fA-F]{1,5})\}|x(?P<x>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"
            r"|[nrt ]|(?!<[A-Za-z/!?])[^\w\s])",
            re.ASCII,
        ),
        _backslash,
        _common_backslashes,
    ),
    # Quoted-printable, and lists of bytes as in C.
    _Step(lambda text: "=" in text and "=3D" in text, re.compile(r"=[0-9A-F]{2}"), lambda match: chr(int(match[0][1:], 16))),
    _Step(lambda text: ",0x" in text or ", 0x" in text, re.compile(r"(?:0[xX][0-9a-fA-F]{2}[,;\s]{0,8}){8,}+"), _hex_list),
)  # fmt: skip
_HEX_ITEM = re.compile(r"0[xX]([0-9a-fA-F]{2})")
_DUMP_LINE = re.compile(r"^[ \t|>\"']{0,8}(?P<at>[0-9a-fA-F]{5,16}):?[ \t](?P<body>.*\S)", re.MULTILINE)
# Cheap to search for, since every text is searched.
_DUMP_BEGINS = re.compile(r"\n[0-9a-fA-F]{5,16}:?[ \t]")
# Without offsets, as `od -An` writes them: bytes or words in columns, or letters in columns of four.
_BARE_LINE = re.compile(
    r"^(?P<at>)(?P<body>(?: [0-9a-fA-F]{2})+|(?: [0-9a-fA-F]{4})+|(?: [0-7]{3})+|(?:   \S|  \\\S| [0-7]{3})+)"
    r"[ \t]*(?:>.*<)?$",
    re.MULTILINE,
)
_BARE_BEGINS = re.compile(r"\n (?:[0-9a-fA-F]{2,4} ?[ 0-9a-fA-F]|  \S   )")
_OFFSET = re.compile(r"0[0-9a-fA-F]{0,15}:?[ \t]*[0-9a-fA-F]{0,7}\Z")
_HEX_TOKENS = re.compile(r"[ \t]*(?:[0-9a-fA-F]{2,16}(?:[ \t-]{1,2}|$))+")
_OCTAL_TOKENS = re.compile(r"[ \t]*(?:[0-7]{3}(?:[0-7]{3})?(?:[ \t]+|$))+")
