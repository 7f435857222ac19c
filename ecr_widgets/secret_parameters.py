"""Secrets among a run's parameters, found by their names and by what they look like, before anything is written."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.redaction import SecretRegistry

_NAMES = re.compile(
    r"passw|passphrase|secret|token|credential|api_?key|access_?key|private_?key|(^|_)(pwd|pass|auth)($|_)",
    re.IGNORECASE,
)
# Names of where a secret is, how long it lives or how many there are: none of them is one.
_ABOUT = re.compile(r"_(name|arn|path|file|variable|url|endpoint|s|at|count|id_prefix)$", re.IGNORECASE)
_LOOKS = (
    ("an AWS access key id", re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*")),
    ("an address with a password", re.compile(r"://[^/\s:@]+:[^/\s@]+@")),
    ("a token of GitHub", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}")),
)
# 40 characters of base64 with all kinds of letters, not a commit's hash.
_AWS_SECRET_KEY = re.compile(
    r"(?<![\w/+=])(?=[^\s]*[A-Z])(?=[^\s]*[a-z])(?=[^\s]*\d)[A-Za-z0-9/+]{40}(?![\w/+=])"
)
_HINT = (
    "leave it out: AWS keys come from AWS_PROFILE or the SDK's other places, Layer0's token from LAYER0_AUTH_TOKEN, "
    "registry passwords are asked for by the run itself"
)


def refuse_secrets(parameters: Mapping[str, Any], known: SecretRegistry) -> None:
    """Refuse parameters that are or look like secrets, at any depth; a message never shows one.

    To be called before anything else looks at them: what else refuses a parameter shows its name and value.

    Raises:
        InputError: One does.
    """
    for name, value in parameters.items():
        what = what_secret("", name, known)
        if what is not None:
            raise InputError(f"a parameter's name refused: it {what}; a saved run would show it", hint=_HINT)
        for names, text in _texts(value, (name,)):
            found = next(
                ((each, what) for each in names if (what := what_secret(each, text, known)) is not None), None
            )
            if found is not None:
                where = "its value" if found[0] == name else f"its {found[0]!r}"
                raise InputError(
                    f"parameter {name!r} refused: {where} {found[1]}; a saved run would show it", hint=_HINT
                )


def what_secret(name: str, text: str, known: SecretRegistry) -> str | None:
    """Why a value under that name is taken for a secret, to follow on "its value"; None where it is not."""
    if known.redact(text) != text:
        return "is a secret of this environment"
    if text and _NAMES.search(name) and not _ABOUT.search(name):
        return "is a secret by its name"
    for what, pattern in _LOOKS:
        if pattern.search(text):
            return f"looks like {what}"
    if _AWS_SECRET_KEY.search(text):
        return "looks like an AWS secret key"
    if _is_authorization_token(text):
        return "looks like a registry's authorization token"
    return None


def _is_authorization_token(text: str) -> bool:
    try:
        return base64.b64decode(text, validate=True).startswith(b"AWS:")
    except ValueError:
        return False


def _texts(value: Any, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text in a value, with the names it is under, outermost first."""
    if isinstance(value, str):
        yield names, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield names[:1], str(key)
            yield from _texts(item, (*names, str(key)))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, names)
