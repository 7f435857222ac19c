"""What is secret, and how it is taken out of a text before anybody sees it."""

from __future__ import annotations

import base64
import json
import re
from html import escape
from urllib.parse import quote, quote_plus

from ecr_widgets.errors import InputError

MASK = "***"
SHORTEST_SECRET = 8
"""Characters; anything shorter would take ordinary words out of a text."""


class SecretRegistry:
    """The known secrets of one process."""

    def __init__(self) -> None:
        self._forms: dict[str, frozenset[str]] = {}
        self._pattern: re.Pattern[str] | None = None

    def register(self, secret: str) -> None:
        """Learn a secret, with all the forms it may appear in.

        Raises:
            InputError: Too short to be taken out without harm.
        """
        if len(secret) < SHORTEST_SECRET:
            raise InputError(
                f"a secret of fewer than {SHORTEST_SECRET} characters cannot be kept out of texts safely"
            )
        if secret in self._forms:
            return
        self._forms[secret] = forms_of(secret)
        every = sorted({form for forms in self._forms.values() for form in forms}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, every)))

    def redact(self, text: str) -> str:
        """The text with every known form of every known secret masked."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)


def forms_of(secret: str) -> frozenset[str]:
    """The secret as itself, in JSON, in addresses, in HTML, in hex and inside base64 at each of its three offsets."""
    forms = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        escape(secret),
        secret.encode().hex(),
        repr(secret)[1:-1],
    }
    once = json.dumps(secret)[1:-1]
    forms |= {once, json.dumps(once)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for prefix in ("", "AWS:"):
        for offset in range(3):
            # The characters at both ends depend on neighbours; what stands between is the same wherever it occurs.
            encoded = base64.b64encode(b"\0" * offset + (prefix + secret).encode()).decode().rstrip("=")
            core = encoded[(0, 2, 3)[offset] : -1]
            if len(core) >= SHORTEST_SECRET:
                forms |= {core, core.replace("+", "-").replace("/", "_")}
    return frozenset(forms)
