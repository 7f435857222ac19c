"""Secrets among a run's parameters, found by their names and by what they look like, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.parameters import DEEPEST_VALUE, LARGEST_VALUE
from ecr_widgets.secrets.kinds import kind_of_secret, names_secret
from ecr_widgets.secrets.redaction import SecretRegistry

_HINT = (
    "leave it out: AWS keys come from AWS_PROFILE or the SDK's other places, Layer0's token from LAYER0_AUTH_TOKEN, "
    "registry passwords are asked for by the run itself"
)
_SMALLER = "give a file by its path, and let a step read it"


def refuse_secrets(parameters: Mapping[str, Any], known: SecretRegistry) -> None:
    """Refuse parameters that are or look like secrets, at any depth; a message never shows one.

    Call this before any other check of them, since those show the name and value of a parameter that they refuse.

    Raises:
        InputError: A parameter is or looks like a secret, is nested too deeply or too large to check, or is not UTF-8.
    """
    for name, value in parameters.items():
        what = what_secret("", name, known)
        if what is not None:
            raise InputError(
                f"a parameter's name is refused: it {what}; a saved run would show it", hint=_HINT
            )
        _check_size(name, value)
        for names, text in _texts(value, (name,)):
            match = next(
                ((each, what) for each in names if (what := what_secret(each, text, known)) is not None), None
            )
            if not _is_text(text):
                raise InputError(
                    f"parameter {name!r} refused: it is not UTF-8",
                    hint="write it in UTF-8, in a shell whose locale is a UTF-8 one, such as LC_ALL=C.UTF-8",
                )
            if match is not None:
                where = "its value" if match[0] == name else f"its {match[0]!r}"
                raise InputError(
                    f"parameter {name!r} refused: {where} {match[1]}; a saved run would show it", hint=_HINT
                )


def _is_text(text: str) -> bool:
    """Whether a text can be saved in a file as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_size(name: str, value: Any) -> None:
    """Refuse a value too deep or too large to walk through, such as from a YAML file that repeats itself by aliases."""
    level, count = [value], 0
    for _ in range(DEEPEST_VALUE + 1):
        level = list(islice(_inner(level), LARGEST_VALUE))
        count += len(level)
        if not level:
            return
        if count >= LARGEST_VALUE:
            raise InputError(
                f"parameter {name!r} refused: it holds more than {LARGEST_VALUE} values", hint=_SMALLER
            )
    raise InputError(f"parameter {name!r} refused: it is nested too deeply", hint=_SMALLER)


def _inner(level: Sequence[Any]) -> Iterator[Any]:
    for each in level:
        if isinstance(each, Mapping):
            yield from each.values()
        elif isinstance(each, (list, tuple, set)):
            yield from each


def what_secret(name: str, text: str, known: SecretRegistry) -> str | None:
    """Why a value with that name counts as a secret, to follow "its value" in a sentence; None if it does not."""
    if known.redact(text) != text:
        return "is a secret of this environment"
    if text and names_secret(name):
        return "is a secret by its name"
    kind = kind_of_secret(text)
    return f"looks like {kind}" if kind is not None else None


def _texts(value: Any, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text in a value, with the names it is under, outermost first."""
    if isinstance(value, str):
        yield names, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield names[:1], str(key)
            yield from _texts(item, (*names, str(key)))
    elif isinstance(value, bytes):
        yield names, value.decode("latin-1")
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _texts(item, names)
