"""The document given to Layer0: parse it, say what is wrong and where, set an image, compare two of them.

Source: Layer0 reads containerDefinitions, volumes, family, networkMode, taskRoleArn and placementConstraints, in any key
case, drops all else silently, and hands the document back re-rendered: PascalCase inside, explicit nulls, a log
configuration of its own. So comparing needs a canonical form.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecr_widgets.errors import InvalidDockerrun, InvalidReference
from ecr_widgets.model.image_reference import ImageReference

MAX_SIZE_BYTES = 64 * 1024
READ_MEMBERS = frozenset(
    ("containerDefinitions", "volumes", "family", "networkMode", "taskRoleArn", "placementConstraints")
)
"""Top-level members that Layer0 reads."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_SMALLEST_MEMORY_MIB = 4
_TYPES: Mapping[str, tuple[type, str]] = {
    "name": (str, "text"),
    "image": (str, "text"),
    "memory": (int, "a whole number of MiB"),
    "memoryReservation": (int, "a whole number of MiB"),
    "cpu": (int, "a whole number"),
    "essential": (bool, "true or false"),
    "environment": (list, "a list"),
    "portMappings": (list, "a list"),
    "mountPoints": (list, "a list"),
    "command": (list, "a list of texts"),
    "entryPoint": (list, "a list of texts"),
}


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a Dockerrun."""

    name: str
    image: str
    memory_mib: int
    essential: bool
    environment: Mapping[str, str]


class _Duplicate(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class Dockerrun:
    """A checked Dockerrun; unknown members are kept as they are."""

    document: Mapping[str, Any]

    @classmethod
    def parse(cls, content: bytes) -> Dockerrun:
        """Read and check a Dockerrun.

        Raises:
            InvalidDockerrun: With the place as JSON pointer, what is wrong and what to write instead.
        """
        document = _load(content)
        key, containers = _member(document, "containerDefinitions")
        if key is None or containers is None:
            raise InvalidDockerrun("no containerDefinitions", hint="list at least one container")
        if not isinstance(containers, list) or not containers:
            raise InvalidDockerrun(
                "not a list of containers", pointer=f"/{key}", hint="list at least one container"
            )
        names: dict[str, str] = {}
        for number, container in enumerate(containers):
            at = f"/{key}/{number}"
            name = _check_container(container, at)
            if name in names:
                raise InvalidDockerrun(
                    f"container name {name!r} stands at {names[name]} already",
                    pointer=f"{at}/name",
                    hint="rename one",
                )
            names[name] = at
        return cls(document)

    @property
    def containers(self) -> tuple[Container, ...]:
        """The containers in order."""
        return tuple(_container(raw) for raw in self._raw())

    def with_image(self, image: ImageReference, *, container: str | None = None) -> Dockerrun:
        """The same document with a container's image set.

        Raises:
            InvalidDockerrun: No such container, or none named where there are several.
        """
        names = [each.name for each in self.containers]
        if container is None and len(names) > 1:
            raise InvalidDockerrun(
                f"several containers: {', '.join(names)}",
                pointer="/containerDefinitions",
                hint="name the one to set",
            )
        wanted = names[0] if container is None else container
        if wanted not in names:
            raise InvalidDockerrun(
                f"no container {wanted!r}",
                pointer="/containerDefinitions",
                hint=f"it has: {', '.join(names)}",
            )
        changed = copy.deepcopy(dict(self.document))
        for raw in Dockerrun(changed)._raw():
            if _member(raw, "name")[1] == wanted:
                raw[_member(raw, "image")[0] or "image"] = str(image)
        return Dockerrun(changed)

    def dropped_members(self) -> tuple[str, ...]:
        """Top-level members that Layer0 drops without a word."""
        return tuple(key for key in self.document if _camel(key) not in READ_MEMBERS)

    def to_bytes(self) -> bytes:
        """The document as compact JSON."""
        return json.dumps(self.document, separators=(",", ":"), ensure_ascii=False).encode()

    def normalized(self) -> dict[str, Any]:
        """The canonical form: one key case, nothing empty, nothing that Layer0 or ECS adds by itself."""
        form: dict[str, Any] = {k: v for k, v in _fold(self.document).items() if k in READ_MEMBERS}
        if str(form.get("family", "")).startswith("l0-"):
            del form["family"]
        if form.get("networkMode") == "bridge":
            del form["networkMode"]
        form["containerDefinitions"] = [_without_defaults(each) for each in form["containerDefinitions"]]
        return form

    def content_sha256(self) -> str:
        """SHA-256 (hexadecimal) of the canonical form."""
        text = json.dumps(self.normalized(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def _raw(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = _member(self.document, "containerDefinitions")[1]
        return found


def _load(content: bytes) -> dict[str, Any]:
    if content.startswith(b"\xef\xbb\xbf"):
        raise InvalidDockerrun(
            "it begins with a byte-order mark, which Layer0 refuses", hint="save it as plain UTF-8"
        )
    if len(content) > MAX_SIZE_BYTES:
        raise InvalidDockerrun(f"larger than {MAX_SIZE_BYTES} bytes", hint="ECS takes no more")
    try:
        document = json.loads(content.decode(), object_pairs_hook=_pairs, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise InvalidDockerrun(f"not UTF-8 at byte {error.start}", hint="save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise InvalidDockerrun(
            f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise InvalidDockerrun("nested too deeply") from error
    except ValueError as error:
        raise InvalidDockerrun(str(error)) from error
    if not isinstance(document, dict):
        raise InvalidDockerrun("not a JSON object")
    return document


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # JSON readers differ on which of two equal keys counts, so neither does.
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Duplicate(f"member {key!r} stands twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_container(container: Any, at: str) -> str:
    if not isinstance(container, dict):
        raise InvalidDockerrun("not a container object", pointer=at)
    for wanted, (kind, words) in _TYPES.items():
        key, value = _member(container, wanted)
        # bool is an int in Python, not in JSON.
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise InvalidDockerrun(f"{_json_type(value)} where {words} belongs", pointer=f"{at}/{key}")
    name, image = _member(container, "name")[1], _member(container, "image")[1]
    if not name or not _NAME.fullmatch(name):
        raise InvalidDockerrun(
            f"{name!r} is not a container name" if name else "a container without a name",
            pointer=f"{at}/name",
            hint="1 to 255 letters, digits, - and _",
        )
    if not image:
        raise InvalidDockerrun("a container without an image", pointer=f"{at}/image")
    try:
        ImageReference.parse(image)
    except InvalidReference as error:
        raise InvalidDockerrun(error.message, pointer=f"{at}/image", hint=error.hint) from error
    memory = [_member(container, each)[1] for each in ("memory", "memoryReservation")]
    if memory == [None, None]:
        raise InvalidDockerrun("a container without memory", pointer=at, hint='add "memory": MiB')
    if any(each is not None and each < _SMALLEST_MEMORY_MIB for each in memory):
        raise InvalidDockerrun(f"less memory than {_SMALLEST_MEMORY_MIB} MiB", pointer=f"{at}/memory")
    _check_environment(container, at)
    return str(name)


def _check_environment(container: Mapping[str, Any], at: str) -> None:
    key, items = _member(container, "environment")
    for number, item in enumerate(items or ()):
        pointer = f"{at}/{key}/{number}"
        if not isinstance(item, dict):
            raise InvalidDockerrun("not an object with name and value", pointer=pointer)
        for part in ("name", "value"):
            value = _member(item, part)[1]
            if not isinstance(value, str) or (part == "name" and not value):
                raise InvalidDockerrun(
                    f"{_json_type(value)} where text belongs", pointer=f"{pointer}/{part}", hint="quote it"
                )


def _container(raw: Mapping[str, Any]) -> Container:
    memory = _member(raw, "memory")[1] or _member(raw, "memoryReservation")[1]
    environment = _member(raw, "environment")[1] or ()
    return Container(
        name=_member(raw, "name")[1],
        image=_member(raw, "image")[1],
        memory_mib=memory,
        essential=_member(raw, "essential")[1] is not False,
        environment={_member(item, "name")[1]: _member(item, "value")[1] for item in environment},
    )


def _member(document: Mapping[str, Any], wanted: str) -> tuple[str | None, Any]:
    """The member's own spelling and its value, whatever its case."""
    for key, value in document.items():
        if key.lower() == wanted.lower():
            return key, value
    return None, None


def _camel(key: str) -> str:
    return key[:1].lower() + key[1:]


# Maps from names of people's own, whose case is theirs.
_OWN_KEYS = frozenset(("options", "dockerLabels"))


def _fold(value: Any, *, own: bool = False) -> Any:
    if isinstance(value, Mapping):
        folded = {k if own else _camel(k): _fold(v, own=_camel(k) in _OWN_KEYS) for k, v in value.items()}
        return {k: v for k, v in folded.items() if v not in (None, [], {})}
    if isinstance(value, list):
        return [_fold(item) for item in value]
    return value


def _without_defaults(container: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in container.items() if (k, v) not in (("essential", True), ("cpu", 0))}
    log = kept.get("logConfiguration", {})
    if log.get("logDriver") == "awslogs" and log.get("options", {}).get("awslogs-stream-prefix") == "l0":
        del kept["logConfiguration"]
    if "environment" in kept:
        kept["environment"] = sorted(kept["environment"], key=lambda item: str(item.get("name")))
    if "portMappings" in kept:
        kept["portMappings"] = [
            {k: v for k, v in port.items() if (k, v) not in (("hostPort", 0), ("protocol", "tcp"))}
            for port in kept["portMappings"]
        ]
    return kept


def _json_type(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    names: Mapping[type, str] = {
        str: "text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)
