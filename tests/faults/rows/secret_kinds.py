"""Kinds of secrets wherever people write them, and inputs that are made to keep a reader busy."""

from __future__ import annotations

import base64
import json
import string
import time
from collections.abc import Callable
from pathlib import Path

from ecr_widgets.dockerrun.diff import contents
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.engine.parameter_files import read_parameter_file
from ecr_widgets.errors import InputError
from ecr_widgets.model.declarations import declared_parameters
from ecr_widgets.model.text import visible
from ecr_widgets.secrets.parameters import refuse_secrets
from ecr_widgets.secrets.redaction import SecretRegistry
from tests.faults.plan import Attempt, row

_ANY = string.ascii_letters + string.digits


def _given(at: Attempt) -> tuple[str, str]:
    """A text as people paste it, and the secret in it."""
    rng = at.rng
    word = "".join(rng.choice(_ANY) for _ in range(37)) + "aB3"
    form = rng.choice(
        (
            "ghp_{}", "glpat-{}", "dckr_pat_{}", "hvs.{}", "redis://:{}@cache:6379/0", "postgres://app:x/{}@db/app",
            "https://{}@git.example/o/r", "jdbc:postgresql://db/app?user=a&password={}", "Server=db;Password={};",
            "host=db password={} user=a", "Authorization: Bearer {}", "curl -u me:{} https://x", "X-Api-Key: {}",
            "export DB_PASSWORD={}", '{{"auths": {{"r.example": {{"auth": "{}"}}}}}}', "-----BEGIN PRIVATE KEY-----\n{}",
        )
    )  # fmt: skip
    text = form.format(word)
    for _ in range(rng.randrange(3)):
        text = rng.choice((json.dumps({"k": text}), base64.b64encode(text.encode()).decode(), f"see: {text}"))
    return text, word


def _kinds(at: Attempt, *, refused: Callable[[str], bool], shown: Callable[[Dockerrun], str]) -> None:
    text, word = _given(at)
    assert refused(text), "it was taken as a parameter"
    container = {
        "name": "web",
        "image": "app:1",
        "memory": 64,
        "environment": [{"name": "A", "value": text}],
        "command": ["run", text],
    }
    told = shown(Dockerrun.parse(json.dumps({"containerDefinitions": [container]}).encode()))
    assert word not in told, "a difference shows it"
    assert text not in told, "a difference shows it, coded"


def _is_refused(text: str) -> bool:
    try:
        refuse_secrets({"comment": text}, SecretRegistry())
    except InputError as error:
        return text not in f"{error} {error.hint}"
    return False


@row(
    80,
    "16 forms of secrets, plain, in JSON and in base64: as a parameter, as a Dockerrun's variable and argument",
    tries=2000,
    quick=200,
    control=lambda at: _kinds(at, refused=lambda _: True, shown=lambda each: each.to_bytes().decode()),
)
def kinds(at: Attempt) -> None:
    """Refused, and in no difference."""
    _kinds(at, refused=_is_refused, shown=lambda each: "\n".join(map(str, contents(each))))


_UNITS = (
    "-,",
    "eyJ-",
    "://a:",
    "a=",
    "a: ",
    '"a":"',
    "--a ",
    "curl -u ",
    "login ",
    "\\",
    "%4",
    "&#",
    "\x1b[",
    "<a",
    "\n0000 ",
    "$2y$",
    "0",
)
_SHORT, _LONG = 20_000, 160_000


def _limits(at: Attempt, look: Callable[[str], object], load: Callable[[Path], object]) -> None:
    unit = "".join(at.rng.choice(_UNITS) for _ in range(at.rng.randrange(1, 4)))
    spent = []
    for size in (_SHORT, _LONG):
        text = unit * (size // len(unit))
        started_s = time.process_time()
        look(text)
        spent.append(time.process_time() - started_s)
    # Eight times the text; at quadratic cost it would be 64 times the work.
    assert spent[1] < 24 * max(spent[0], 0.005), (unit, spent)
    path = at.folder / "values.yaml"
    levels, wide = at.rng.randrange(7, 12), at.rng.randrange(8, 12)
    path.write_text(
        at.rng.choice(
            (
                "a0: &a0 [x]\n"
                + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * wide)}]\n" for n in range(1, levels)),
                f"tag: {'[' * 3000}{']' * 3000}",
                "tag: &a [*a]",
            )
        )
    )
    try:
        load(path)
    except InputError:
        pass
    else:
        raise AssertionError("a file that stands for more than any memory holds was read")
    hidden = at.rng.choice("\u3164\u2800\u034f\ufe0f\u115f\u17b4\uffa0\u200b\u202e")
    assert visible(f"prod{hidden}").isascii()


def _look(text: str) -> None:
    known = SecretRegistry()
    known.register("aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v")
    known.redact(text)
    known.safe_length(text)
    _is_refused(text)


def _quadratic(text: str) -> None:
    for at in range(0, len(text), 20):
        text[at:].count("x")


@row(
    85,
    "texts that repeat how a secret's pattern begins, 8 times as long; YAML that contains itself or expands to millions;"
    " invisible letters",
    tries=300,
    quick=3,
    control=lambda at: _limits(at, _quadratic, lambda path: path.read_text()),
)
def limits(at: Attempt) -> None:
    """Work in proportion to the text, files refused before they are expanded, letters shown as escapes."""
    declared = declared_parameters("tag: str = ''  # x")
    _limits(at, _look, lambda path: read_parameter_file(path, declared))
