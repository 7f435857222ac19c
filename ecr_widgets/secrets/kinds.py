"""What secrets look like: one list for parameters, cells, Dockerfiles, Dockerruns and what is shown of them.

Every pattern runs in linear time: a repetition is bounded, or can only begin where another cannot continue.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from ecr_widgets.secrets.tokens import TOKENS, WEBHOOKS

_DEPTH = 3
"""How many levels of base64 within base64 are decoded, such as Docker's `auth` in a Kubernetes secret."""

_NAMES = re.compile(
    r"passw|passphrase|secret|token|credential|(api|access|account|private|signing|encryption|master|deploy|ssh)[_-]?key"
    r"|(^|[_-])(pwd|pass|auth)($|[_-])",
    re.IGNORECASE,
)
# Names for where a secret is, how long it lives or how many there are: these are not secrets.
_ABOUT = re.compile(
    r"[_-](name|arn|path|file|variable|url|endpoint|s|at|count|id_prefix|type|ttl|lifetime|policy|length|stdin|alias)$"
    r"|(?-i:(?<=[a-z])(Name|Arn|Path|File|Url|Endpoint|Type|Ttl|Lifetime|Policy|Length|Alias)$)",
    re.IGNORECASE,
)
_WIDER_NAMES = re.compile(r"PASS|TOKEN|KEY|SECRET|PWD|CREDENTIAL|(^|[_-])AUTH", re.IGNORECASE)
_AUTHORIZATION = re.compile(r"auth(orization)?$", re.IGNORECASE)


def names_secret(name: str) -> bool:
    """Whether the name says that its value is a secret: `db_password`, but not `password_file`."""
    return _NAMES.search(name) is not None and _ABOUT.search(name) is None


def may_name_secret(name: str) -> bool:
    """The same, but wider, for values that are hidden and not refused: also anything called a key."""
    return _WIDER_NAMES.search(name) is not None


def kind_of_secret(text: str) -> str | None:
    """What kind of secret the text holds or is, to follow "looks like" in a sentence; None if none is found."""
    return next((each.what for each in _matches(text, wide=False)), None)


def mask_secrets(text: str, mask: str) -> str:
    """The text with its secrets masked, and with each value masked whose name may be a secret's."""
    parts: list[str] = []
    at = 0
    for each in sorted(_matches(text, wide=True), key=lambda each: each.start):
        if each.start >= at:
            parts += [text[at : each.start], mask]
        at = max(at, each.end)
    return "".join((*parts, text[at:]))


def secrets_within(text: str) -> Iterator[str]:
    """The secrets themselves that the text holds, such as the password in an address."""
    for each in _plain(text, wide=False, depth=_DEPTH):
        yield text[each.start : each.end].strip("\"'\\")


def looks_random(text: str) -> bool:
    """Whether it looks like a key: long, without spaces, with capitals, small letters and digits."""
    return _RANDOM.fullmatch(text) is not None and _is_mixed(text)


@dataclass(frozen=True, slots=True)
class _Match:
    what: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Kind:
    what: str
    hints: tuple[str, ...]
    """Every match contains one of these, in lower case: much cheaper to search for than the pattern."""
    pattern: str
    holds: Callable[[re.Match[str]], bool] = lambda _: True
    to_end: bool = False
    """Whether everything that follows belongs to it, as after the first line of a key; otherwise it ends with its word."""


def _matches(text: str, *, wide: bool) -> Iterator[_Match]:
    reported = set()
    for each in _plain(text, wide=wide, depth=_DEPTH):
        reported.add(each.what)
        yield each
    for readable in {unquote(text), _ESCAPED.sub("", text), _UNICODE.sub(_letter, text)} - {text}:
        for each in _plain(readable, wide=wide, depth=_DEPTH):
            if each.what not in reported:
                # Positions differ there, so the match is the whole text.
                yield _Match(each.what, 0, len(text))


def _plain(text: str, *, wide: bool, depth: int) -> Iterator[_Match]:
    lower = text.lower()
    # Most texts hold no hint at all, and a loop for each kind takes three times as long.
    for kind in dict.fromkeys([kind for hint, kind in _by_hint() if hint in lower]):
        covered = 0
        for match in _compiled(kind.pattern).finditer(text):
            if match.start() >= covered and kind.holds(match):
                covered = _end_of(text, kind, match)
                yield _Match(kind.what, match.start(), covered)
    yield from _in_addresses(text)
    yield from _assigned(text, wide=wide)
    for match in _FORTY.finditer(text):
        if _is_key(match[0]):
            yield _Match("an AWS secret key", *match.span())
    for match in _ENCODED.finditer(text) if depth else ():
        inner = _opened(match[0])
        if inner is None:
            continue
        what = "a user and a password" if _PAIR.fullmatch(inner) else None
        what = what or next((each.what for each in _plain(inner, wide=False, depth=depth - 1)), None)
        if what is not None:
            yield _Match(f"{what} in base64", *match.span())


def _end_of(text: str, kind: _Kind, match: re.Match[str]) -> int:
    if kind.to_end:
        return len(text)
    rest = _WORD.match(text, match.end())
    return rest.end() if rest else match.end()


def _in_addresses(text: str) -> Iterator[_Match]:
    """Passwords and tokens in addresses. A password may hold a slash, though it should not."""
    if "@" not in text:
        return
    for match in _ADDRESS.finditer(text):
        user, password = match["user"], match["password"]
        # Such as `docker://app:1.10@sha256:…`, `http://host:5000/app@…`, `http://[::1]/…`
        if match["rest"].startswith(("sha256:", "sha512:")) or _PORT.match(password) or user.startswith("["):
            continue
        if match["colon"] and password and not _is_placeholder(password):
            yield _Match("an address with a password", *match.span("password"))
        elif not match["colon"] and not password and _is_token(user):
            yield _Match("an address with a token", *match.span("user"))
    for pattern in _OTHER_ADDRESSES:
        for match in pattern.finditer(text):
            if not _is_placeholder(match["value"]):
                yield _Match("an address with a password", *match.span("value"))


def _assigned(text: str, *, wide: bool) -> Iterator[_Match]:
    """Values whose names say that they are secret: `password=…`, `"auth": "…"`, `--token …`, `X-Api-Key: …`."""
    for pattern, is_password in _ASSIGNED:
        for match in pattern.finditer(text):
            name, value = match["name"], match["value"].strip("\"'\\")
            if not value or _is_placeholder(value):
                continue
            if (wide and may_name_secret(name)) or (
                (names_secret(name) or _AUTHORIZATION.search(name)) and is_password(value)
            ):
                yield _Match("a password", *match.span("value"))


def _is_placeholder(value: str) -> bool:
    """Whether it is a placeholder for a secret: `$PASSWORD`, `<token>`, `{{ password }}`, `***`, a secret's ARN."""
    return _PLACEHOLDER.fullmatch(value) is not None


def _is_value(value: str) -> bool:
    return (
        len(value) >= 4
        and value.lower() not in _NO_PASSWORDS
        and _ADDRESS_OF.match(value) is None
        and _CODE.match(value.rstrip(")]}.`")) is None
    )


def _is_argument(value: str) -> bool:
    # In prose about an option, an ordinary word follows it.
    return _is_value(value) and not value.isalpha() and _PARTS.match(value) is None


def _is_said(value: str) -> bool:
    return (
        len(value) >= 8
        and any(map(str.isdigit, value))
        and any(map(str.isalpha, value))
        and _ADDRESS_OF.match(value) is None
    )


def _is_mixed(text: str) -> bool:
    return any(map(str.isupper, text)) and any(map(str.islower, text)) and any(map(str.isdigit, text))


def _is_key(text: str) -> bool:
    """Whether capitals, small letters and digits alternate as they do by chance, unlike in words that begin with capitals."""
    runs = _RUNS.findall(text)
    # One key in 200 has fewer.
    return _is_mixed(text) and len(runs) > 12 and sum(run.islower() and len(run) < 3 for run in runs) >= 3


def _is_token(text: str) -> bool:
    """Whether an address has a token instead of a user: names are shorter, or have one case and no digits."""
    return len(text) >= 16 and (
        _is_mixed(text) or (len(text) >= 32 and _HEX_ONLY.fullmatch(text) is not None)
    )


def _opened(text: str) -> str | None:
    """Decode base64; None if the content is not text."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    content = binascii.a2b_base64(plain + "=" * (-len(plain) % 4))
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        try:
            opened = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if (opened.isascii() or encoding == "utf-8") and _CONTROL.search(opened) is None:
            return opened
    return None


def _letter(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _is_pair(match: re.Match[str]) -> bool:
    opened = _opened(match["value"])
    return opened is not None and ":" in opened


def _is_opaque(match: re.Match[str]) -> bool:
    """Whether it is not an ordinary word."""
    value = match["value"]
    long = len(value) >= 16 and (any(map(str.isdigit, value)) or not (value.islower() or value.isupper()))
    return long and not _is_placeholder(value)


def _is_no_filler(match: re.Match[str]) -> bool:
    """Whether the token's body is not a filler as documentation has it: `ghp_xxxxxxxx`."""
    return _FILLER.fullmatch(match["body"]) is None


def _is_no_user_id(match: re.Match[str]) -> bool:
    return not match["value"].replace(":", "").isdigit() and not _is_placeholder(
        match["value"].partition(":")[2]
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Letters of other scripts may come right before a token, since some scripts have no spaces.
    return re.compile(pattern, re.ASCII)


@cache
def _by_hint() -> tuple[tuple[str, _Kind], ...]:
    return tuple((hint, kind) for kind in _kinds() for hint in kind.hints)


@cache
def _kinds() -> tuple[_Kind, ...]:
    tokens = (
        _Kind(
            what,
            tuple(start.lower() for start in starts.split()),
            rf"(?<![\w-])(?:{'|'.join(map(re.escape, starts.split()))})(?P<body>{body})",
            _is_no_filler,
        )
        for what, starts, body in TOKENS
    )
    return (*_KEYS, *tokens, *_OTHERS)


_KEYS = (
    _Kind(
        "a private key",
        ("private key",),
        r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}",
        to_end=True,
    ),
    _Kind("a private key", ("putty-user-key-file-",), r"PuTTY-User-Key-File-\d", to_end=True),
)
_OTHERS = (
    _Kind("a JSON web token", ("eyj",), r"(?<![\w.-])eyJ[\w-]{10,}+\.[\w-]{10,}+\."),
    _Kind(
        "an address that takes messages",
        tuple(WEBHOOKS.split()),
        rf"(?:{'|'.join(map(re.escape, WEBHOOKS.split()))})[\w/-]{{8}}",
    ),
    _Kind(
        "a header with a token", ("bearer",), r"(?i:\bbearer)[\s:]{1,4}(?P<value>[\w.~+/=-]{8,}+)", _is_opaque
    ),
    _Kind(
        "a header with a password",
        ("basic",),
        r"(?i:\bbasic)[\s:]{1,4}(?P<value>[\w+/-]{8,}+={0,2})",
        _is_pair,
    ),
    _Kind(
        "a header with a token",
        ("authorization",),
        r"(?i:authorization)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?i:token|api-?key|key|digest|negotiate|ntlm|bot|splunk|"
        r"sso-key|aws4-hmac-sha256)\s{1,3}(?P<value>[^\s\"']{8,}+)",
        _is_opaque,
    ),
    _Kind(
        "an address with a signature or key",
        ("sig", "key=", "code="),
        r"(?i:[?&;](?:sig|key|code|x-(?:amz|goog)-signature)=)(?P<value>[\w%+/=.~-]{16,}+)",
        _is_opaque,
    ),
    _Kind("a token of Telegram", (":aa",), r"(?<![\w-])\d{8,10}:AA[\w-]{32}"),
    _Kind("a token of Discord", (".",), r"(?<![\w.-])[MNO][\w-]{23,26}\.[\w-]{6}\.[\w-]{27,38}(?![\w.-])"),
    _Kind("a token of Terraform", ("atlasv1.",), r"(?<![\w.-])\w{14}\.atlasv1\.[\w-]{40}"),
    _Kind("a key of Mailchimp", ("-us",), r"(?<![\w-])[0-9a-f]{32}-us\d{1,2}(?![\w-])"),
    _Kind("a secret of Azure", ("q~",), r"(?<![\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{31}"),
    _Kind("a key of Azure", ("==",), r"(?<![\w+/])[A-Za-z0-9+/]{86}=="),
    _Kind("a password's hash", ("$",), r"\$(?:1|5|6|y|apr1|2[abxy])\$[./\w$=,]{16}"),
    _Kind(
        "a user and a password",
        ("curl",),
        r"\bcurl\b[^\n|;]{0,120}?\s(?:-u|-U|--user|--proxy-user)[ =]{0,2}[\"']?(?P<value>[^\s:\"']{1,64}:[^\s\"']{3,})",
        _is_no_user_id,
    ),
    _Kind("a password", ("sshpass",), r"\bsshpass\s{1,3}-p\s{0,3}(?P<value>[^\s$][^\s]*)"),
    _Kind(
        "a password",
        ("login",),
        r"\blogin\b[^\n|;]{0,120}?\s(?:-p[ =]{0,2}|password\s{1,3})(?P<value>[^\s$<{-][^\s]{3,})",
    ),
)
_RUNS = re.compile(r"[a-z]+|[A-Z]+|[0-9]+")
# A secret key has 40 characters of all kinds; a commit's hash has no capitals.
_FORTY = re.compile(r"(?<![\w/+=])[A-Za-z0-9/+]{40}(?![\w/+=])")
_ESCAPED = re.compile(r"(?<!\\)\\++(?=[\"'/])")
_ENCODED = re.compile(r"(?<![\w+/=-])[\w+/-]{16,}+={0,2}", re.ASCII)
_PAIR = re.compile(r"[\w.@+-]{1,64}:(?!//)[^\s:]{4,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_UNICODE = re.compile(r"\\u([0-9a-fA-F]{4})")
_WORD = re.compile(r"[^\s\"'`,;&|<>()]*")
_RANDOM = re.compile(r"[\w+/=.~-]{20,}", re.ASCII)
_HEX_ONLY = re.compile(r"[0-9a-fA-F]+")
# Values assigned in code, and parts of an option's value, as in `--secret id=npm`: names, not passwords.
_CODE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*[(\[]|[{\[][\"']|(?:[a-z]+(?:_[a-z]+)+|[A-Z]+(?:_[A-Z]+)+)$")
_PARTS = re.compile(r"[A-Za-z]\w*=")
_FILLER = re.compile(r"[xX*.0_-]+")
_ADDRESS_OF = re.compile(r"[a-z][\w+.-]*://[^@]*$|arn:")
_ADDRESS = re.compile(
    r"://(?P<user>[^\s:@/?#\"'<>]*+)(?P<colon>:?)"
    # Up to the last @ before the host ends; another address ends the search.
    r"(?P<password>(?:(?!://)[^\s@\"'<>])*+(?:@[^\s@/?#\"'<>]*+(?=@))*+)@(?P<rest>\S{0,8})"
)
_PORT = re.compile(r"\d{1,5}(?:[/?#]|$)(?<!\d)|\d{1,5}(?=[/?#])")
_OTHER_ADDRESSES = (
    re.compile(r"(?<![^\s\"'=:/])[\w.-]{1,64}:(?P<value>[^\s@:]{1,128})@(?:tcp|udp|unix)\("),
    re.compile(r"oracle:thin:[^/\s]{1,64}/(?P<value>[^@\s]{1,128})@"),
    re.compile(r"(?<![\w/.-])[\w$#]{1,64}/(?P<value>[^\s@/]{4,128})@//"),
)
_TAKEN = r"(?P<value>\"[^\"\n]{0,2000}\"|'[^'\n]{0,2000}'|\$?\{{1,2}[^{}\n]{0,500}\}{1,2}|[\"'\\]{0,2}[^\s\"'&;,<>|\\]+)"
_ASSIGNED: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (re.compile(rf"(?<![\w.-])(?P<name>[\w.-]++)\s{{0,2}}=(?!=)\s{{0,2}}{_TAKEN}"), _is_value),
    (re.compile(rf"[\"'](?P<name>[\w.-]{{1,64}})[\"']\s{{0,3}}:\s{{0,3}}(?={_TAKEN})"), _is_value),
    (
        re.compile(rf"(?i:[\"']name[\"']\s{{0,3}}:\s{{0,3}}[\"'](?P<name>[\w.-]{{1,64}})[\"']\s{{0,3}},\s{{0,3}}[\"']value[\"']\s{{0,3}}:\s{{0,3}}){_TAKEN}"),
        _is_value,
    ),
    (re.compile(r"(?<![\w-])(?P<name>--?[A-Za-z][\w-]*+)\s{1,3}(?P<value>\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'|[^\s\"'-][^\s\"']*)"), _is_argument),
    (re.compile(r"(?<![\w.-])(?P<name>[A-Za-z][\w-]*+)\s{0,2}:\s{1,3}(?=(?P<value>[^\s\"',;]+))"), _is_said),
)  # fmt: skip
_NO_PASSWORDS = frozenset(
    [
        "true",
        "false",
        "none",
        "null",
        "required",
        "optional",
        "prompt",
        "stdin",
        "auto",
        "default",
        "basic",
        "bearer",
        "disabled",
        "enabled",
    ]
)
_PLACEHOLDER = re.compile(
    r"\$\{[^{}]*\}|\{\{[^{}]*\}\}|\{[A-Za-z_.]*\}|\$\w+|\$\([^()]*\)|%\(?\w*\)?s|%\w+%|<[^<>]*>|\*+|[xX]{3,}|\.{3}|…|\[[\w -]*\]"
    r"|(?i:redacted|your[-_]?\w*|arn:aws[\w-]*:(?:secretsmanager|ssm):.*)"
)
