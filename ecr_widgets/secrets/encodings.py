"""The encodings in which tools write a secret: as it is, quoted, in hex and in base64."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from urllib.parse import quote, quote_plus

from ecr_widgets.secrets.views import views

SHORTEST_SECRET = 8
"""Characters; masking anything shorter would remove ordinary words from texts."""
END = 20
"""Characters at either end of a long secret that give it away in a text that was cut off."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def forms_of(secret: str) -> frozenset[str]:
    """The secret as it is, line by line, and as written in JSON, URLs, HTML, shells, hex and base64 at each offset.

    Unpaired surrogates, which come from paths that are not UTF-8, are replaced as in the texts that are searched.
    """
    parts = {secret} | {line for line in secret.splitlines() if len(line) >= END}
    return frozenset(encodable(form) for part in parts for form in _encodings(part))


def ends_of(secret: str) -> frozenset[str]:
    """What gives the secret away in a text that was cut off within it, in the same forms; empty for a short secret."""
    if len(secret) <= END:
        return frozenset()
    return forms_of(secret[:END]) | forms_of(secret[-END:])


def broken_forms_of(secret: str) -> frozenset[str]:
    """The forms that tools may break across lines, at any character."""
    parts = {secret} | {line for line in secret.splitlines() if len(line) >= END}
    coded = {form for part in parts for form in (*_within_base64(part), *_hexed(part))}
    seen = {
        view.text for part in parts for quoted in (part, json.dumps(part)[1:-1]) for view in views(quoted)
    }
    return frozenset(encodable(form) for form in parts | coded | seen if len(form) >= SHORTEST_SECRET)


def encodable(text: str) -> str:
    """The text with every unpaired surrogate replaced by one character that can be encoded, so that positions stay."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text)
    return text


def _encodings(text: str) -> Iterator[str]:
    yield text
    yield text[::-1]
    # As it is in views of a text: what looks like an escape in the secret is undone with the escapes around it.
    for quoted in {text, json.dumps(text)[1:-1], escape(text), quote(text, safe="", errors="replace")}:
        yield from (view.text for view in views(quoted) if len(view.text) >= SHORTEST_SECRET)
    contents = _contents(text)
    in_addresses = {
        form for each in contents for form in (quote(each, safe=""), quote_plus(each), quote(each))
    }
    yield from in_addresses
    for each in in_addresses:
        yield re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), each)
    yield escape(text)
    yield escape(text, quote=False)
    yield escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield escape(text).replace("&#x27;", "&apos;")
    yield from _hexed(text)
    for content in contents:
        # Lists of numbers, and dumps on one line.
        for hexed in (content.hex(" "), content.hex(":"), content.hex("-")):
            yield from (hexed, hexed.upper())
        for separator in (", ", ",", " "):
            yield separator.join(map(str, content))
    # UTF-16, in either byte order.
    yield "\0".join(text)
    yield repr(text)[1:-1]
    yield shlex.quote(text).strip("'")
    # A saved notebook is JSON, and so are many texts in it.
    for ensure_ascii in (True, False):
        once = json.dumps(text, ensure_ascii=ensure_ascii)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ensure_ascii)[1:-1]
        yield json.dumps(repr(text)[1:-1], ensure_ascii=ensure_ascii)[1:-1]
        yield json.dumps(escape(text), ensure_ascii=ensure_ascii)[1:-1]
        yield from _within_base64(once)
    yield from _within_base64(text)
    for each in in_addresses:
        yield from _within_base64(each)
    for once in _within_base64(text, urlsafe=False):
        # Docker's `auth` in a Kubernetes secret.
        yield from _within_base64(once)
    with suppress(UnicodeEncodeError):
        yield from _cores(text.encode("utf-16-le")[:-1])


def _hexed(text: str) -> Iterator[str]:
    contents = _contents(text)
    with suppress(UnicodeEncodeError):
        contents.add(text.encode("utf-16-le")[:-1])
    for content in contents:
        yield content.hex()
        yield content.hex().upper()


def _within_base64(text: str, *, urlsafe: bool = True) -> Iterator[str]:
    for content in _contents(text):
        yield from _cores(content, urlsafe=urlsafe)


def _cores(content: bytes, *, urlsafe: bool = True) -> Iterator[str]:
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + content).decode().rstrip("=")
        # The characters at both ends depend on their neighbours; the part between is the same wherever it occurs.
        core = encoded[(0, 2, 3)[offset] : -1]
        if len(core) >= SHORTEST_SECRET:
            yield core
            if urlsafe:
                yield core.replace("+", "-").replace("/", "_")


def _contents(text: str) -> set[bytes]:
    """The text's bytes, with unpaired surrogates both as the bytes of the path and as they are saved."""
    contents = {text.encode("utf-8", "surrogatepass")}
    with suppress(UnicodeEncodeError):
        contents.add(text.encode("utf-8", "surrogateescape"))
    return contents
