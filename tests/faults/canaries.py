"""Secrets made to be looked for, in every form that the plan names; independent of the redactor's own list."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import shlex
import string
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

NASTY = '+/="\\%&<'
_COLOUR = re.compile(r"(?:\x1b|\\u001b)\[[0-9;]*m")
VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAYER0_AUTH_TOKEN")


def make(rng: random.Random, *, lines: int = 1) -> str:
    """A secret of 40 characters or more a line, with everything that encodings trip over."""
    made = []
    for _ in range(lines):
        letters = [*(rng.choice(string.ascii_letters + string.digits) for _ in range(40)), *NASTY]
        rng.shuffle(letters)
        made.append("".join(letters))
    return "\n".join(made)


def forms(secret: str) -> dict[str, str]:
    """The secret in each form, by the form's name."""
    raw = secret.encode()
    found = {
        "raw": secret,
        "first 20": secret[:20],
        "last 20": secret[-20:],
        "url": quote(secret, safe=""),
        "url, lower": re.sub("%..", lambda code: code[0].lower(), quote(secret, safe="")),
        "url, plus": quote_plus(secret),
        "json": json.dumps(secret)[1:-1],
        "json twice": json.dumps(json.dumps(secret))[3:-3],
        "repr": repr(secret)[1:-1],
        "html": html.escape(secret),
        "xml": html.escape(secret, quote=False),
        "hex": raw.hex(),
        "shell": shlex.quote(secret).strip("'"),
        "line": max(secret.splitlines(), key=len),
        "reversed": secret[::-1],
        "coloured": f"{secret[:7]}\x1b[31m{secret[7:]}\x1b[0m",
    }
    for shift in range(3):
        encoded = base64.b64encode(b"x" * shift + raw).decode()
        found[f"base64 {shift}"] = encoded
        found[f"base64url {shift}"] = base64.urlsafe_b64encode(b"x" * shift + raw).decode()
    for user in ("AWS", "user"):
        found[f"base64 {user}"] = base64.b64encode(f"{user}:{secret}".encode()).decode()
    found["auth"] = json.dumps({"auth": found["base64 AWS"]})
    found["X-Registry-Auth"] = base64.urlsafe_b64encode(
        json.dumps({"username": "AWS", "password": secret}).encode()
    ).decode()
    return found


def hits(secret: str, texts: Iterable[str]) -> list[str]:
    """Forms of the secret that can be read in one of the texts. Of a base64 form, any 16 characters in a row count."""
    looked = [*texts]
    # As a reader sees them, whose terminal or browser turns codes into colours.
    looked += [seen for text in looked if (seen := _COLOUR.sub("", text)) != text]
    found = []
    for name, form in forms(secret).items():
        pieces = [form]
        if name.startswith(("base64", "X-")):
            # Ends depend on neighbours and beginnings on what all such texts begin with; the middle is the secret's.
            middle = form[len(form) // 2 :]
            pieces = [middle[at : at + 16] for at in range(0, len(middle) - 18, 4)]
        if any(piece in text for text in looked for piece in pieces if len(piece) >= 12):
            found.append(name)
    return found


def texts_below(*folders: Path) -> list[str]:
    """Contents of all files below the folders, as far as they are text."""
    return [
        path.read_text(errors="replace")
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
