"""The known secrets, and how they are masked in a text before anybody sees it."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from threading import Lock
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from ecr_widgets.errors import InputError
from ecr_widgets.secrets.encodings import END, SHORTEST_SECRET, broken_forms_of, encodable, ends_of, forms_of
from ecr_widgets.secrets.kinds import names_secret, secrets_within
from ecr_widgets.secrets.views import AT_BREAKS, View, cut_off, joined, shows_nothing_alone, views

MASK = "***"
_SECRET_VARIABLES = re.compile(
    r"AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AWS_SECURITY_TOKEN|AWS_CONTAINER_AUTHORIZATION_TOKEN"
    r"|AWS_BEARER_TOKEN_\w+|LAYER0_AUTH_TOKEN|DOCKER_AUTH_CONFIG|ECR_WIDGETS_NOTIFY_\w+"
)
# Words, numbers, paths, hosts and addresses, whatever their name: masking them would garble texts without secrets.
_ORDINARY = re.compile(r"[a-z]*$|[A-Z]*$|\d*$|[/~.]|arn:|[\w+.-]+:|[\w-]+(\.[\w-]+)+$")
_WORTH_KEEPING = 20_000
"""Length in characters from which a text's result is cached."""
_MOST_KEPT = 16_000_000
"""Characters of all cached texts together."""
_WINDOW = 6
"""Characters in a row by which a form is recognised that is broken across lines."""
_WINDOWED = 96
"""Characters at either end of a form from which such rows are taken."""
_NEAR = 200
"""Characters on either side of such a row within which enough of the form must be."""


class SecretRegistry:
    """The known secrets of one process. Safe to use from several threads.

    Args:
        environ: Environment variables; the secrets in the standard ones are known from the start.
    """

    def __init__(self, environ: Mapping[str, str] = MappingProxyType({})) -> None:
        self._forms: dict[str, frozenset[str]] = {}
        self._ends: dict[str, tuple[str, ...]] = {}
        self._built: _Search | None = None
        self._lock = Lock()
        for secret in secrets_in(environ):
            self.register(secret)

    def register(self, secret: str) -> None:
        """Learn a secret, with all the forms it may appear in.

        Raises:
            InputError: Too short to be masked without harm.
        """
        if len(secret) < SHORTEST_SECRET:
            raise InputError(
                f"a secret of fewer than {SHORTEST_SECRET} characters cannot be kept out of texts safely"
            )
        with self._lock:
            if secret not in self._forms:
                ends = ends_of(secret)
                self._forms[secret] = forms_of(secret) | ends
                for end in ends:
                    self._ends[end] = (*self._ends.get(end, ()), secret)
                self._built = None

    def knows(self, secret: str) -> bool:
        """Whether the secret was registered."""
        return secret in self._forms

    def redact(self, text: str) -> str:
        """The text with every known form of every known secret masked, even if hidden by escapes, colours or line breaks."""
        return self._search().redact(text) if self._forms else text

    def redact_values(self, value: Any) -> Any:
        """The same for every text in a JSON value, including the names of members."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact_values(key): self.redact_values(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.redact_values(item) for item in value]
        return value

    def redact_bytes(self, content: bytes) -> bytes:
        """The same for the binary part of a message."""
        text = content.decode("utf-8", "surrogateescape")
        clean = self.redact(text)
        return content if clean == text else clean.encode("utf-8", "surrogateescape")

    def safe_length(self, text: str) -> int:
        """How many characters of an unfinished text may be shown, redacted; the rest may be the start of a secret."""
        return self._search().safe_length(text) if self._forms else len(text)

    def _search(self) -> _Search:
        # Built on first use after a change, since several secrets are usually registered together.
        with self._lock:
            if self._built is None:
                self._built = _Search(self._forms, self._ends)
            return self._built


class _Search:
    """A search for the secrets that were known when it was built."""

    def __init__(self, forms: Mapping[str, frozenset[str]], ends: Mapping[str, tuple[str, ...]]) -> None:
        # Imported late: a run without secrets does not need it.
        from ahocorasick_rs import AhoCorasick, MatchKind

        self._forms, self._ends = dict(forms), dict(ends)
        self._every = tuple(sorted({form for each in forms.values() for form in each}))
        self._longest = max(map(len, self._every))
        self._head = min(SHORTEST_SECRET, *map(len, self._every))
        self._heads = frozenset(form[: self._head] for form in self._every)
        self._matcher = AhoCorasick(self._every, matchkind=MatchKind.LeftmostLongest)
        windows: dict[str, list[tuple[str, int]]] = {}
        for form in {form for secret in forms for form in broken_forms_of(secret)}:
            for at in _window_places(form):
                windows.setdefault(form[at : at + _WINDOW], []).append((form, at))
        self._windows = AhoCorasick(tuple(windows))
        self._windowed = tuple(windows.values())
        self._kept: dict[str, str] = {}
        self._kept_size = 0
        self._lock = Lock()

    def redact(self, text: str) -> str:
        if len(text) < _WORTH_KEEPING:
            return _masked(text, self._found(text))
        clean = self._kept.get(text)
        if clean is None:
            clean = _masked(text, self._found(text))
            self._keep(text, text if clean == text else clean)
        return clean

    def _keep(self, text: str, clean: str) -> None:
        """Cache a long text's result, since a run is saved many times and most of it stays the same."""
        with self._lock:
            if text not in self._kept:
                self._kept[text] = clean
                self._kept_size += len(text)
            while self._kept_size > _MOST_KEPT:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                self._kept_size -= len(oldest)

    def safe_length(self, text: str) -> int:
        text = encodable(text)
        safe = self._unfinished(text)
        cut = cut_off(text)
        if cut < len(text) and shows_nothing_alone(text[cut:]):
            safe = min(safe, cut)
        begin = max(0, len(text) - 4 * self._longest - 1000)
        for end in {cut, len(text)}:
            for view in _views_of_end(text[begin:end]):
                unfinished = self._unfinished(view.text)
                if unfinished < len(view.text):
                    safe = min(safe, begin + view.span(unfinished, unfinished + 1)[0])
        # Never split a complete secret: hold all of it back.
        spans = self._found(text)
        while torn := [start for start, end in spans if start < safe < end]:
            safe = min(torn)
        return safe

    def _unfinished(self, text: str) -> int:
        """Where a form begins that the text's end may have cut off; the text's length if none does."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            # This runs for every position of a long tail, with many secrets: the first characters rule out most of them.
            if (
                text[at : at + self._head] in self._heads or len(text) - at < self._head
            ) and self._begins_one(text[at:]):
                return at
        return len(text)

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Where secrets are, in the text itself and in each view of it: sorted spans that do not overlap."""
        spans = [*self._spans(text)]
        for view in views(text):
            spans += [view.span(start, end) for start, end in self._spans(view.text)]
        merged: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if merged and start < merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return merged

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where known forms are; where only an end of a secret is found, as much of the secret as is there."""
        try:
            matches = self._matcher.find_matches_as_indexes(text)
        except UnicodeEncodeError:
            # Not checked beforehand: hardly any text has unpaired surrogates, and the check would slow down every text.
            text = encodable(text)
            matches = self._matcher.find_matches_as_indexes(text)
        for _, start, end in matches:
            yield self._widened(text, start, end)
        if "\n" in text:
            after = 0
            for number, start, _ in self._windows.find_matches_as_indexes(text, overlapping=True):
                for form, at in self._windowed[number] if start >= after else ():
                    span = _across_lines(text, start, form, at)
                    if span is not None:
                        after = span[1]
                        yield span
                        break

    def _widened(self, text: str, start: int, end: int) -> tuple[int, int]:
        form = text[start:end]
        first, last = start, end
        for secret in self._ends.get(form, ()):
            for whole in self._forms[secret]:
                if whole.startswith(form):
                    last = max(last, start + _agreement(whole, text[start : start + len(whole)]))
                if whole.endswith(form):
                    before = text[max(0, end - len(whole)) : end]
                    first = min(first, end - _agreement(whole[::-1], before[::-1]))
        return first, last

    def _begins_one(self, text: str) -> bool:
        # The forms are sorted: the first one that begins with the text, if any, is at this place.
        place = bisect_left(self._every, text)
        return place < len(self._every) and self._every[place].startswith(text)


def secrets_in(environ: Mapping[str, str]) -> Iterator[str]:
    """The secrets in environment variables that are long enough to be masked.

    They are found by name, by what they look like, and inside values: the password in a proxy's address, those of Docker's
    logins, and the one in Layer0's token, which is base64 of `user:password`.
    """
    yielded = set()
    for name, value in environ.items():
        for secret in map(str.strip, _known_secrets_of(name, value)):
            if len(secret) >= SHORTEST_SECRET and secret not in yielded:
                yielded.add(secret)
                yield secret


@lru_cache(1024)
def _known_secrets_of(name: str, value: str) -> tuple[str, ...]:
    """Those of one variable: a run asks for the same ones up to eight times, and to look takes milliseconds."""
    return tuple(_secrets_of(name, value))


def _secrets_of(name: str, value: str) -> Iterator[str]:
    if _SECRET_VARIABLES.fullmatch(name) or (names_secret(name) and not _ORDINARY.match(value)):
        yield value
    if name == "LAYER0_AUTH_TOKEN":
        yield from _held_in(value.strip())
    if name == "ECR_WIDGETS_NOTIFY_URL":
        # Anyone who knows the end of it can guess the rest.
        yield from (
            part for part in re.split(r"[/?&=#]", value) if not _ORDINARY.match(part) and len(part) >= 16
        )
    if name == "DOCKER_AUTH_CONFIG":
        yield from _docker_secrets(value)
    if name != "AWS_ACCESS_KEY_ID":
        for secret in secrets_within(value):
            yield from (secret, unquote(secret))


def _docker_secrets(config: str) -> Iterator[str]:
    """The registry logins in Docker's configuration."""
    with suppress(ValueError, AttributeError, RecursionError):
        for login in json.loads(config)["auths"].values():
            for name in ("auth", "password", "identitytoken", "registrytoken"):
                secret = str(login.get(name) or "")
                yield secret
                yield from _held_in(secret) if name == "auth" else ()


def _held_in(token: str) -> tuple[str, ...]:
    try:
        pair = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode()
    except ValueError:
        return ()
    if not pair.isprintable():
        return ()
    _, _, password = pair.partition(":")
    return pair, password


def _agreement(one: str, other: str) -> int:
    """The length of the beginning that two texts have in common."""
    lengths = range(1, min(len(one), len(other)) + 1)
    return bisect_left(lengths, 1, key=lambda length: one[:length] != other[:length])


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    if not spans:
        return text
    parts: list[str] = []
    at = 0
    for start, end in spans:
        # Secrets that touch share one mask.
        if start > at or not parts:
            parts += [text[at:start], MASK]
        at = max(at, end)
    return "".join((*parts, text[at:]))


def _views_of_end(text: str) -> Iterator[Any]:
    """The text's end without line breaks, and its views with and without them."""
    ways = (False, True) if '"' in text or "'" in text else (False,)
    for quoted in ways:
        yield joined(text, quoted=quoted, may_go_on=True)
    for view in views(text):
        yield view
        if isinstance(view, View):
            for quoted in ways:
                lines = joined(view.text, quoted=quoted, may_go_on=True)
                yield View(view.text, lines.text, *lines.steps, base=view)


def _window_places(form: str) -> Iterator[int]:
    last = len(form) - _WINDOW
    for at in (*range(0, last, _WINDOW), last):
        # Rows of dashes or zeros are too common to be a sign of anything.
        if (at < _WINDOWED or at >= last - _WINDOWED) and len(set(form[at : at + _WINDOW])) > 2:
            yield at


def _across_lines(text: str, start: int, form: str, at: int) -> tuple[int, int] | None:
    """Where a form is whose character number `at` is at `start`, across line breaks; None if it is not there.

    For a long form, as much of it as matches, if that is enough to give it away.
    """
    if not _may_be_cut(text, start, form, at):
        return None
    spans = [_joined_at(text, start, form, at, quoted=quoted) for quoted in (False, True)]
    return max((each for each in spans if each is not None), key=lambda span: span[1] - span[0], default=None)


def _may_be_cut(text: str, start: int, form: str, at: int) -> bool:
    """Whether enough of the form is there, or what is there ends at a possible line break: a cheap check, since the words that
    secrets begin with may be all over a text.
    """
    follows = _agreement(form[at:], text[start : start + len(form) - at])
    precedes = _agreement(form[:at][::-1], text[max(0, start - at) : start][::-1])
    if follows + precedes >= min(len(form), END):
        return True
    after, before = start + follows, start - precedes
    return (follows < len(form) - at and _goes_on(text[after : after + _NEAR], form[at + follows])) or (
        precedes < at and _goes_on(text[max(0, before - _NEAR) : before][::-1], form[at - precedes - 1])
    )


def _goes_on(rest: str, wanted: str) -> bool:
    """Whether the wanted letter comes next, ignoring what may surround a line break."""
    for letter in rest:
        if letter == wanted:
            return True
        if letter not in AT_BREAKS:
            return False
    return False


def _joined_at(text: str, start: int, form: str, at: int, *, quoted: bool) -> tuple[int, int] | None:
    for reach in (_NEAR, 4 * len(form) + _NEAR):
        before = max(0, start - reach)
        behind = joined(text[before:start], quoted=quoted)
        ahead = joined(text[start : start + reach], quoted=quoted)
        follows = _agreement(form[at:], ahead.text[: len(form) - at])
        precedes = _agreement(form[:at][::-1], behind.text[::-1][:at])
        if follows + precedes < min(len(form), END):
            return None
        whole = follows == len(form) - at and precedes == at
        if whole or (follows < len(ahead.text) and precedes < len(behind.text)):
            break
    size = len(behind.text)
    first = before + behind.span(size - precedes, size)[0] if precedes else start
    return first, start + ahead.span(0, follows)[1]
