"""What is secret, and how it is taken out of a text before anybody sees it."""

from __future__ import annotations

import base64
import json
import re
import shlex
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from html import escape
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote

from ecr_widgets.errors import InputError
from ecr_widgets.model.secret_kinds import names_secret, secrets_within

if TYPE_CHECKING:
    from ahocorasick_rs import AhoCorasick

MASK = "***"
SHORTEST_SECRET = 8
"""Characters; anything shorter would take ordinary words out of a text."""
_END = 20
"""Characters at either end of a long secret that give it away when a text was cut."""
_SECRET_VARIABLES = re.compile(
    r"AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AWS_SECURITY_TOKEN|AWS_CONTAINER_AUTHORIZATION_TOKEN"
    r"|AWS_BEARER_TOKEN_\w+|LAYER0_AUTH_TOKEN|DOCKER_AUTH_CONFIG|ECR_WIDGETS_NOTIFY_\w+"
)
# Words, numbers, paths, hosts and addresses, under whatever name: they would be taken out of texts that mean no secret.
_ORDINARY = re.compile(r"[a-z]*$|[A-Z]*$|\d*$|[/~.]|arn:|[\w+.-]+:|[\w-]+(\.[\w-]+)+$")
_COLOUR = re.compile(r"(?:\x1b|\\u001b|\\x1b|\\033)\[[0-9;]*m", re.IGNORECASE)
# Where base64 and hex are broken into lines: after enough of it to be no word, though less than an output without lines
# has, and before as much again or what may be its last line. Each begins with what every text is searched for cheaply.
_BREAKS = tuple(
    re.compile(
        rf"{end}(?<=[\w+/-]{{48}}{end})(?<![\w+/-]{{129}}{end})[ \t]*"
        r"(?=[\w+/-]{48}|[\w+/-]*=*(?:[^\w+/=:@.-]|\Z))",
        re.ASCII,
    )
    for end in (r"\n", r"\r\n", r"\\n")
)
_SURROGATE = re.compile("[\ud800-\udfff]")


class SecretRegistry:
    """The known secrets of one process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._forms: dict[str, frozenset[str]] = {}
        self._ends: dict[str, tuple[str, ...]] = {}
        self._built: AhoCorasick | None = None
        self._every: tuple[str, ...] = ()
        self._longest = self._head = 0
        self._heads: frozenset[str] = frozenset()
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
                ends = _ends_of(secret)
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
        """The text with every known form of every known secret masked; colour codes and base64's lines do not hide it."""
        if not self._forms:
            return text
        matcher = self._matcher()
        for what in _hiding(text):
            plain, place = _without(what, text)
            text = _masked(
                text, [(place(start), place(end - 1) + 1) for start, end in self._spans(matcher, plain)]
            )
        return _masked(text, self._spans(matcher, text))

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

    def safe_length(self, text: str) -> int:
        """How much of an unfinished text may be shown, redacted; with what follows, the rest may turn out to be a secret."""
        if not self._forms:
            return len(text)
        matcher = self._matcher()
        text = _encodable(text)
        safe = self._unfinished(text)
        spans = self._spans(matcher, text)
        for what in _hiding(text):
            plain, place = _without(what, text)
            unfinished = self._unfinished(plain)
            hidden = self._spans(matcher, plain)
            if unfinished < len(plain):
                safe = min(safe, place(unfinished))
                hidden.append((unfinished, len(plain)))
            # From the line's beginning, for a line that is not whole is not known as one of base64.
            spans += [(text.rfind("\n", 0, place(start)) + 1, place(end - 1) + 1) for start, end in hidden]
        # A secret that is whole already stays in one piece with what may follow it.
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

    def _spans(self, matcher: AhoCorasick, text: str) -> list[tuple[int, int]]:
        """Where known forms are, in order and apart; where an end of a secret is, as much of the secret as is there."""
        try:
            matches = matcher.find_matches_as_indexes(text)
        except UnicodeEncodeError:
            # Not asked beforehand: next to no text has half characters, and every text would pay for the question.
            text = _encodable(text)
            matches = matcher.find_matches_as_indexes(text)
        spans: list[tuple[int, int]] = []
        for start, end in sorted(self._widened(text, start, end) for _, start, end in matches):
            if spans and start < spans[-1][1]:
                spans[-1] = spans[-1][0], max(end, spans[-1][1])
            else:
                spans.append((start, end))
        return spans

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

    def _matcher(self) -> AhoCorasick:
        # Built when it is first needed after a change, for several secrets mostly come at once.
        with self._lock:
            if self._built is None:
                # Imported late: a run without secrets does without.
                from ahocorasick_rs import AhoCorasick, MatchKind

                self._every = tuple(sorted({form for forms in self._forms.values() for form in forms}))
                self._longest = max(map(len, self._every))
                self._head = min(SHORTEST_SECRET, *map(len, self._every))
                self._heads = frozenset(form[: self._head] for form in self._every)
                self._built = AhoCorasick(self._every, matchkind=MatchKind.LeftmostLongest)
            return self._built


def secrets_in(environ: Mapping[str, str]) -> Iterator[str]:
    """The secrets that variables hold, those that are long enough to be taken out of a text.

    By their names, by what they look like, and what is within them: the password in a proxy's address, those of Docker's
    logins, and that of Layer0's token, which is base64 of `user:password`.
    """
    told = set()
    for name, value in environ.items():
        for secret in map(str.strip, _secrets_of(name, value)):
            if len(secret) >= SHORTEST_SECRET and secret not in told:
                told.add(secret)
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


def forms_of(secret: str) -> frozenset[str]:
    """The secret as itself, line by line, and in JSON, addresses, HTML, shells, hex and base64 at each offset.

    Half characters, as paths that are not UTF-8 hold them, are replaced as they are in the texts that are searched.
    """
    parts = {secret} | {line for line in secret.splitlines() if len(line) >= _END}
    return frozenset(_encodable(form) for part in parts for form in _encodings(part))


def _ends_of(secret: str) -> frozenset[str]:
    """What gives the secret away where a text was cut within it, in the same forms; of a short one nothing."""
    if len(secret) <= _END:
        return frozenset()
    return forms_of(secret[:_END]) | forms_of(secret[-_END:])


def _encodings(text: str) -> Iterator[str]:
    yield text
    yield text[::-1]
    contents = _contents(text)
    quoted = {form for each in contents for form in (quote(each, safe=""), quote_plus(each), quote(each))}
    yield from quoted
    for each in quoted:
        yield re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), each)
    yield escape(text)
    yield escape(text, quote=False)
    yield escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield escape(text).replace("&#x27;", "&apos;")
    for content in contents:
        yield content.hex()
        yield content.hex().upper()
    yield repr(text)[1:-1]
    yield shlex.quote(text).strip("'")
    # A saved notebook is JSON, and so is many a text in it.
    for ensure_ascii in (True, False):
        once = json.dumps(text, ensure_ascii=ensure_ascii)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ensure_ascii)[1:-1]
        yield json.dumps(repr(text)[1:-1], ensure_ascii=ensure_ascii)[1:-1]
        yield json.dumps(escape(text), ensure_ascii=ensure_ascii)[1:-1]
        yield from _within_base64(once)
    yield from _within_base64(text)


def _within_base64(text: str) -> Iterator[str]:
    for content in _contents(text):
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + content).decode().rstrip("=")
            # The characters at both ends depend on neighbours; what stands between is the same wherever it occurs.
            core = encoded[(0, 2, 3)[offset] : -1]
            if len(core) >= SHORTEST_SECRET:
                yield core
                yield core.replace("+", "-").replace("/", "_")


def _contents(text: str) -> set[bytes]:
    """The text's bytes; half characters both as the bytes that a path held and as they are saved."""
    contents = {text.encode("utf-8", "surrogatepass")}
    with suppress(UnicodeEncodeError):
        contents.add(text.encode("utf-8", "surrogateescape"))
    return contents


def _encodable(text: str) -> str:
    """The text with every half character replaced by one that can be encoded, so that all places stay."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


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


def _hiding(text: str) -> Iterator[re.Pattern[str]]:
    """What in the text may stand within a secret and is no part of it."""
    # Looked for first, for it takes a hundredth of the search.
    if ("\x1b" in text or "\\" in text) and _COLOUR.search(text) is not None:
        yield _COLOUR
    yield from (breaks for breaks in _BREAKS if breaks.search(text) is not None)


def _without(what: re.Pattern[str], text: str) -> tuple[str, Callable[[int], int]]:
    """The text without that, and where a place in it is in the text that has it."""
    kept: list[str] = []
    cuts: list[int] = []
    gone = [0]
    at = 0
    for each in what.finditer(text):
        kept.append(text[at : each.start()])
        cuts.append(each.start() - gone[-1])
        gone.append(gone[-1] + each.end() - each.start())
        at = each.end()
    kept.append(text[at:])
    return "".join(kept), lambda place: place + gone[bisect_right(cuts, place)]
