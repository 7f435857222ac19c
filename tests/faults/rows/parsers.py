"""Rows 60 to 62: readers against any text, and texts that want to be code."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from contextlib import suppress

import msgspec

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.audit.judging import judge
from ecr_widgets.audit.reading import read_content
from ecr_widgets.audit.row import Row, row_of
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.errors import EcrWidgetsError, InvalidDockerrun, InvalidReference
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import Dialect
from ecr_widgets.secrets.redaction import SecretRegistry
from tests.audit.runs import RECORDED
from tests.faults.plan import batch

_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_PART}(?:\.{_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_WHOLE = re.compile(
    rf"({_HOST})/({_COMPONENT}(?:/{_COMPONENT})*)(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?(?:@sha256:[a-f0-9]{{64}})?"
)
_DIGEST = "@sha256:" + "ab" * 32
_MARKS = [*"aA0._-/:@[] ", "__", "--", "localhost", "r.example", "docker.io", "x:5000", _DIGEST, "\n", "é"]


def docker_takes(text: str) -> bool:
    """Docker's own way to the verdict, written from its grammar and not from our reader."""
    first, slash, rest = text.partition("/")
    if not slash or not (first == "localhost" or re.search(r"[.:]", first) or first.lower() != first):
        first, rest = "docker.io", text
    if first in {"docker.io", "index.docker.io"} and "/" not in rest:
        rest = f"library/{rest}"
    match = _WHOLE.fullmatch(f"{first}/{rest}")
    return match is not None and match[1] == first and len(match[2]) <= 255


def we_take(text: str) -> bool:
    """Whether our reader takes it; an error that is not ours goes up."""
    try:
        ImageReference.parse(text)
    except InvalidReference:
        return False
    return True


@batch(61, "image references against Docker's grammar, in its own procedure", tries=200_000, quick=20_000)
def references(tries: int, seed: int) -> tuple[int, int, str]:
    """Taken and refused alike; the control asks a reader that splits at the first colon."""
    chance, wrong, sensed, taken = random.Random(seed), [], 0, 0
    for _ in range(tries):
        text = "".join(chance.choices(_MARKS, k=chance.randrange(1, 8)))
        theirs = docker_takes(text)
        taken += theirs
        if we_take(text) != theirs:
            wrong.append(repr(text))
        sensed += bool(re.fullmatch(r"[a-z0-9./_-]+(:[\w.-]+)?", text)) != theirs
    note = f"{taken} taken; control: one simple expression errs {sensed} times"
    return len(wrong), sensed, "; ".join([note, *wrong[:3]])


_TEXTS = [
    "{{7*7}}", "{0.__class__}", "%(x)s", "%s%n", ";rm -rf /", "$(reboot)", "`reboot`", "|cat", "&& true", "--config=/x",
    "-v", "'; import os", '"+str(1)+"', "\\", "a\nimport os", "${HOME}", "#{1}", "<%= 1 %>", "\u2028", "*",
]  # fmt: skip
_WRAPS = ("{}", "a{}", "{}b")


@batch(
    60, "templates, formats, shell and option texts as tags, repositories and parameters", tries=60, quick=60
)
def injections(tries: int, seed: int) -> tuple[int, int, str]:
    """As a name each is refused unless Docker's grammar has it; as a parameter it comes back from the cell the same."""
    import ast

    from papermill.translators import PythonTranslator

    wrong, sensed = [], 0
    for number in range(tries):
        text = _WRAPS[number // len(_TEXTS) % 3].replace("{}", _TEXTS[(number + seed) % len(_TEXTS)])
        for name in (text, f"app:{text}", f"r.example/{text}"):
            alike = we_take(name) == docker_takes(name)
            wrong += [] if alike else [f"name {name!r}"]
        (assigned,) = ast.parse(PythonTranslator.codify({"x": text})).body
        if not isinstance(assigned, ast.Assign) or ast.literal_eval(assigned.value) != text:
            wrong.append(f"parameter {text!r}")
        try:
            sensed += ast.literal_eval(f'"{text}"') != text
        except (SyntaxError, ValueError):
            sensed += 1
    return (
        len(wrong),
        sensed,
        "; ".join([f"control: pasted into a cell {sensed} come out otherwise", *wrong[:3]]),
    )


def _mutated(chance: random.Random, content: bytes) -> bytes:
    made = bytearray(content)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(made))
        kind = chance.randrange(4)
        if kind == 0:
            made[at] = chance.randrange(256)
        elif kind == 1:
            del made[at : at + chance.randrange(1, 30)]
        elif kind == 2:
            made[at:at] = chance.choice(
                (b"null", b"[]", b"{}", b"-1", b'"', b"1e999", b"\\ud800", b"\x00", b"true")
            )
        else:
            made[at:at] = made[at : at + chance.randrange(1, 60)]
        if not made:
            made = bytearray(b" ")
    return bytes(made)


_DOCKERRUN = json.dumps({
    "containerDefinitions": [
        {"name": "a", "image": "r.example/a:1", "memory": 10, "environment": [{"name": "A", "value": "b"}],
         "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]}
    ],
    "volumes": [{"name": "v", "host": {"sourcePath": "/x"}}],
}).encode()  # fmt: skip
_REPLY = json.dumps({
    "service_id": "s1", "service_name": "s", "environment_id": "e1", "desired_count": 1, "running_count": 1, "pending_count": 0,
    "deployments": [{"deploy_id": "d.1", "desired_count": 1, "running_count": 1, "status": "PRIMARY"}],
}).encode()  # fmt: skip


def _dockerrun(content: bytes) -> None:
    """In both dialects; what one refuses the other may take."""
    with suppress(InvalidDockerrun):
        Dockerrun.parse(content, Dialect.ECS)
    Dockerrun.parse(content)


def _reply(content: bytes) -> None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return
    decode.service(decode.entity(value, "service_id"))


def _notebook() -> bytes:
    """A recorded run, whole, but for the texts that a reader skips: more of the changes hit what is read."""
    notebook = json.loads((RECORDED / "proven.json").read_bytes())
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("text/html", None)
    return json.dumps(notebook).encode()


def _audit(content: bytes) -> None:
    """What the index does with a file: read, judged, and made a row that goes into the database and comes back."""
    found = read_content(content, "x")
    row, _ = row_of(found, judge(found))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Row) == row


@batch(
    62,
    "readers of Dockerruns, notebooks and Layer0's replies, and the redactor, on changed bytes",
    tries=200_000,
    quick=8_000,
)
def readers(tries: int, seed: int) -> tuple[int, int, str]:
    """Only errors of ours; redacting twice is redacting once, and no form of the secret is left."""
    chance, wrong, sensed = random.Random(seed), [], 0
    notebook = _notebook()
    secrets = SecretRegistry()
    secret = "hG7+/x=Qz%4aB2&c9<Kd0eF1mN3pR5sT8uV6wX"
    secrets.register(secret)
    calls: tuple[tuple[bytes, Callable[[bytes], object]], ...] = (
        (_DOCKERRUN, _dockerrun),
        (notebook, _audit),
        (_REPLY, _reply),
    )
    for number in range(tries):
        if number % 4 == 3:
            text = "".join(
                chance.choices(
                    [secret, secret[:9], "x", "\x1b[1m", "\n", "***", "="], k=chance.randrange(1, 6)
                )
            )
            once = secrets.redact(text)
            sensed += secret in text
            if secret in once or secrets.redact(once) != once:
                wrong.append(f"redactor {text!r}")
            continue
        content, call = calls[number % 4]
        content = _mutated(chance, content)
        try:
            call(content)
        except EcrWidgetsError:
            pass
        except Exception as error:  # noqa: BLE001 -- any other error is a failure
            wrong.append(f"{number % 4} {type(error).__name__} {content[:60]!r}")
    return (
        len(wrong),
        sensed,
        "; ".join([f"a quarter each; control: {sensed} texts hold the secret before", *wrong[:3]]),
    )
