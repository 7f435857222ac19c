"""What is secret, and how it is taken out of a text before anybody sees it."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Lock
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
# Words, numbers, paths, hosts and addresses, under whatever name: they would be taken out of texts that mean no secret.
_ORDINARY = re.compile(r"[a-z]*$|[A-Z]*$|\d*$|[/~.]|arn:|[\w+.-]+:|[\w-]+(\.[\w-]+)+$")
_WORTH_KEEPING = 20_000
"""Characters of a text whose result is remembered."""
_MOST_KEPT = 16_000_000
"""Characters of all that are remembered."""
_WINDOW = 6
"""Characters in a row by which a form is recognised that line breaks cut."""
_WINDOWED = 96
"""Characters at either end of a form in which such a row is looked for."""
_NEAR = 200
"""Characters on either side within which most of it must be."""


class SecretRegistry:
    """The known secrets of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._forms: dict[str, frozenset[str]] = {}
        self._ends: dict[str, tuple[str, ...]] = {}
        self._built: _Search | None = None
        self._lock = Lock()

    def register(self, secret: str) -> None:
        """Learn a secret, with all the forms it may appear in.

        Raises:
            InputError: Too short to be taken out without harm.
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

    def register_environment(self, environ: Mapping[str, str]) -> None:
        """Learn the secrets that the standard variables hold."""
        for secret in secrets_in(environ):
            self.register(secret)

    def redact(self, text: str) -> str:
        """The text with every known form of every known secret masked, whatever escapes, colours and lines hide it."""
        return self._search().redact(text) if self._forms else text

    def redact_values(self, value: Any) -> Any:
        """The same for every text in a value as JSON holds it, names of members too."""
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
        """How much of an unfinished text may be shown, redacted; with what follows, the rest may turn out to be a secret."""
        return self._search().safe_length(text) if self._forms else len(text)

    def _search(self) -> _Search:
        # Built when it is first needed after a change, since several secrets usually come together.
        with self._lock:
            if self._built is None:
                self._built = _Search(self._forms, self._ends)
            return self._built


class _Search:
    """What the secrets of one moment are looked for with."""

    def __init__(self, forms: Mapping[str, frozenset[str]], ends: Mapping[str, tuple[str, ...]]) -> None:
        # Imported late: a run without secrets does without.
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
        """Remember a long text's result, for a run is saved many times and most of it stays as it is."""
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
        # A secret that is whole already stays in one piece with what may follow it.
        spans = self._found(text)
        while torn := [start for start, end in spans if start < safe < end]:
            safe = min(torn)
        return safe

    def _unfinished(self, text: str) -> int:
        """Where what may be a form, as far as the text goes, begins."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            # Asked of every place of a long tail, with many secrets: only where a form begins is there more to look at.
            if (
                text[at : at + self._head] in self._heads or len(text) - at < self._head
            ) and self._begins_one(text[at:]):
                return at
        return len(text)

    def _found(self, text: str) -> list[tuple[int, int]]:
        """Where secrets are, in order and apart, in the text itself and in each view of it."""
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
        """Where known forms are; where an end of a secret is, as much of the secret as is there."""
        try:
            matches = self._matcher.find_matches_as_indexes(text)
        except UnicodeEncodeError:
            # Not asked beforehand: next to no text has half characters, and every text would pay for the question.
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
        # Sorted: the forms that begin with it are in a row, and the first of them is not before it.
        place = bisect_left(self._every, text)
        return place < len(self._every) and self._every[place].startswith(text)


def secrets_in(environ: Mapping[str, str]) -> Iterator[str]:
    """The secrets that variables hold, those that are long enough to be taken out of a text.

    By their names, by what they look like, and what is within them: the password in a proxy's address, those of Docker's
    logins, and that of Layer0's token, which is base64 of `user:password`.
    """
    yielded = set()
    for name, value in environ.items():
        for secret in map(str.strip, _secrets_of(name, value)):
            if len(secret) >= SHORTEST_SECRET and secret not in yielded:
                yielded.add(secret)
                yield secret


def _secrets_of(name: str, value: str) -> Iterator[str]:
    if _SECRET_VARIABLES.fullmatch(name) or (names_secret(name) and not _ORDINARY.match(value)):
        yield value
    if name == "LAYER0_AUTH_TOKEN":
        yield from _held_in(value.strip())
    if name == "ECR_WIDGETS_NOTIFY_URL":
        # Who knows the end of it can guess the rest.
        yield from (
            part for part in re.split(r"[/?&=#]", value) if not _ORDINARY.match(part) and len(part) >= 16
        )
    if name == "DOCKER_AUTH_CONFIG":
        yield from _docker_secrets(value)
    if name != "AWS_ACCESS_KEY_ID":
        for secret in secrets_within(value):
            yield from (secret, unquote(secret))


def _docker_secrets(config: str) -> Iterator[str]:
    """What logs in to registries, from Docker's configuration."""
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
    """How many characters at their beginnings two texts have in common."""
    lengths = range(1, min(len(one), len(other)) + 1)
    return bisect_left(lengths, 1, key=lambda length: one[:length] != other[:length])


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    if not spans:
        return text
    parts: list[str] = []
    at = 0
    for start, end in spans:
        # Of a base64 text nothing is left at the edges that could be completed.
        if start > at or not parts:
            parts += [text[at:start], MASK]
        at = max(at, end)
    return "".join((*parts, text[at:]))


def _views_of_end(text: str) -> Iterator[Any]:
    """The text's end as it is seen, each view once more without its lines."""
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
        # Rules of dashes and rows of zeros are no sign of anything.
        if (at < _WINDOWED or at >= last - _WINDOWED) and len(set(form[at : at + _WINDOW])) > 2:
            yield at


def _across_lines(text: str, start: int, form: str, at: int) -> tuple[int, int] | None:
    """Where the form is whose part at that place begins at `start`, though lines break it; None where it is not.

    Of a long one as much as agrees, if that is enough to give it away.
    """
    if not _may_be_cut(text, start, form, at):
        return None
    spans = [_joined_at(text, start, form, at, quoted=quoted) for quoted in (False, True)]
    return max((each for each in spans if each is not None), key=lambda span: span[1] - span[0], default=None)


def _may_be_cut(text: str, start: int, form: str, at: int) -> bool:
    """Whether enough of the form is there, or as much as there is ends where a line may: a cheap look, for words that secrets
    begin with may be all over a text.
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
    """Whether the wanted letter comes next, apart from what surrounds a line break."""
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
