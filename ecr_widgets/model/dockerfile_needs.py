"""What a Dockerfile needs that not every builder has.

The classic builder of newer engines reads BuildKit's syntax and drops what it does not know, such as the text of a
here-document. So it is given only what it is known to handle: each flag and form beyond that is a need.

Source: Dockerfile release notes, where each form is dated; BuildKit's frontend of each engine as built in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ecr_widgets.model.dockerfile import Dockerfile, Instruction, declared, taken_from
from ecr_widgets.model.dockerfile_words import split_words, unquoted

_CLASSIC_FLAGS = {
    "FROM": {"platform"},
    "COPY": {"from", "chown"},
    "ADD": {"chown"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "retries", "start-interval"},
}
"""All flags that the classic builder has honoured since 20.10."""
_SINCE = {"network": 23, "link": 23, "checksum": 25, "keep-git-dir": 25}
"""The first engine whose built-in BuildKit knows a flag; those known to 20.10 are not listed."""
_HERE_DOCUMENTS_SINCE, _GIT_SINCE = 23, 25
_PLATFORM_ARGUMENTS = {
    f"{whose}{what}" for whose in ("BUILD", "TARGET") for what in ("PLATFORM", "OS", "ARCH", "VARIANT")
}
_VARIABLE = re.compile(r"\$\{?(\w+)")
_GIT = re.compile(r"(git|ssh)://|git@[\w.-]+:|https?://[^\s#]+\.git(#|$)", re.IGNORECASE)
_STANDARD_SYNTAX = re.compile(r"(docker\.io/)?docker/dockerfile(:1(\.\d+)*)?(@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that requires BuildKit, or a particular frontend."""

    line: int
    what: str
    since: int = 20
    """The first engine whose built-in BuildKit knows it; if the file names a frontend, that counts instead."""


def needs_of(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> tuple[Need, ...]:
    """All that the classic builder would refuse, drop or read differently, in line order."""
    needs = []
    if dockerfile.syntax and not names_standard_syntax(dockerfile):
        needs.append(Need(dockerfile.directives["syntax"][0], f"the frontend {dockerfile.syntax!r}"))
    line, check = dockerfile.directives.get("check", (0, ""))
    if "error=true" in check.replace(" ", "").lower():
        needs.append(Need(line, "`check=error=true`"))
    for each in dockerfile.instructions:
        needs += _needs(each, build_args)
    return tuple(needs)


def stages_in_other_letters(dockerfile: Dockerfile) -> Iterator[Need]:
    """Stages referred to with different capitals: the same name to Docker, but not to Podman."""
    known: dict[str, str] = {}
    for each in dockerfile.instructions:
        words = split_words(each.text)
        for name in (*taken_from(each), *(words[:1] if each.name == "FROM" else ())):
            if known.get(name.lower(), name) != name:
                yield Need(each.line, f"the stage {known[name.lower()]!r} as {name!r}")
        if each.name == "FROM" and len(words) == 3:
            known[words[2].lower()] = words[2]


def names_standard_syntax(dockerfile: Dockerfile) -> bool:
    """Whether the file names Docker's own frontend, version 1, which all builders follow."""
    return _STANDARD_SYNTAX.fullmatch(dockerfile.syntax) is not None


def _needs(instruction: Instruction, build_args: Mapping[str, str]) -> Iterator[Need]:
    held, line = instruction.trigger or instruction, instruction.line
    if instruction.here_documents:
        word = instruction.here_documents[0]
        yield Need(line, f"the here-document `{held.name} <<{word}`", _HERE_DOCUMENTS_SINCE)
    for name, _ in held.flags:
        if name not in _CLASSIC_FLAGS.get(held.name, ()):
            yield Need(line, f"`{held.name} --{name}`", _SINCE.get(name, 20))
    if held.name == "FROM":
        given = set(_VARIABLE.findall(" ".join((*held.flag("platform"), held.text))))
        for name in sorted(given & _PLATFORM_ARGUMENTS - set(build_args)):
            yield Need(line, f"`${name}` in FROM")
    if held.name == "ARG":
        for name, default in declared(held):
            if name in _PLATFORM_ARGUMENTS and default is None and name not in build_args:
                yield Need(line, f"a value for `ARG {name}`, which only BuildKit sets")
    if held.name == "ADD" and any(_GIT.match(unquoted(word)) for word in split_words(held.text)):
        yield Need(line, "`ADD` of a git repository", _GIT_SINCE)
