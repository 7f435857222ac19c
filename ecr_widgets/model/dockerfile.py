"""A Dockerfile split as BuildKit's parser does it: lines joined, flags and here-documents separated from the rest.

Enough of the language is read to know what a file needs from its builder and which images it is built on. What an instruction
does is up to the builder, as are mistakes: what cannot be read is left for the builder to refuse.

Source: Dockerfile reference, "Parser directives", "Here-Documents", "Understand how ARG and FROM interact".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.dockerfile_words import expand, split_words, unquoted
from ecr_widgets.model.image_reference import ImageReference

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_HERE_DOCUMENT = re.compile(r"\d*<<(-?)([^<]+)")
_MAY_HAVE_HERE_DOCUMENTS = ("RUN", "COPY", "ADD")
_BYTE_ORDER_MARK = "\ufeff"

DOCKER_HUB = "docker.io"
"""The registry of images whose names do not give one."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `line` is its first line, counted from 1."""

    line: int
    name: str
    """In capitals."""
    flags: tuple[tuple[str, str], ...]
    """Name and value of each leading `--name=value`, in order; the value is empty if none is given."""
    text: str
    """What follows the flags, its lines joined."""
    here_documents: tuple[str, ...] = ()
    """The word that ends each one."""

    def flag(self, name: str) -> tuple[str, ...]:
        """Every value given for the flag."""
        return tuple(value for found, value in self.flags if found == name)

    @property
    def trigger(self) -> Instruction | None:
        """The instruction that an ONBUILD defers; None for any other."""
        if self.name != "ONBUILD":
            return None
        return replace(_instruction(self.text, self.line, "\\"), here_documents=self.here_documents)


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image that a Dockerfile builds on or copies from."""

    line: int
    image: str


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What a Dockerfile says, instruction by instruction."""

    directives: Mapping[str, tuple[int, str]]
    """Line and value of `syntax`, `escape` and `check`, if given at the top."""
    instructions: tuple[Instruction, ...]

    @classmethod
    def parse(cls, content: bytes) -> Dockerfile:
        """Parse a file; a leading byte-order mark and bytes that are not UTF-8 are accepted."""
        lines = content.decode(errors="surrogateescape").removeprefix(_BYTE_ORDER_MARK).split("\n")
        lines = [line.removesuffix("\r") for line in lines]
        directives = _directives(lines)
        escape = directives.get("escape", (0, "\\"))[1]
        return cls(directives, tuple(_instructions(lines, "`" if escape == "`" else "\\")))

    @property
    def syntax(self) -> str:
        """The image of the frontend that the file asks for; empty for the builder's own."""
        return self.directives.get("syntax", (0, ""))[1].partition(" ")[0]

    def images(self, build_args: Mapping[str, str]) -> tuple[NamedImage, ...]:
        """The images that the build takes from outside, in line order.

        Args:
            build_args: Values that replace the defaults of the ARGs before the first FROM.
        """
        images = [NamedImage(self.directives["syntax"][0], self.syntax)] if self.syntax else []
        values: dict[str, str] = {}
        stages: list[str] = []
        for each in self.instructions:
            if each.name == "ARG" and not stages:
                for name, default in declared(each):
                    values[name] = build_args.get(name, expand(default or "", values))
            elif each.name == "FROM":
                words = [expand(unquoted(word), values) for word in split_words(each.text)]
                if words and words[0].lower() not in ("scratch", *stages):
                    images.append(NamedImage(each.line, words[0]))
                stages.append(words[2].lower() if len(words) == 3 and words[1].lower() == "as" else "")
            else:
                images += [
                    NamedImage(each.line, name) for name in taken_from(each) if not _is_stage(name, stages)
                ]
        return tuple(images)


def registries_of(images: Iterable[str]) -> tuple[str, ...]:
    """The registries that images come from, each once; anything that is not a reference is skipped."""
    registries = []
    for image in images:
        with suppress(InvalidReference):
            registries.append(ImageReference.parse(image).registry or DOCKER_HUB)
    return tuple(dict.fromkeys(registries))


def declared(arg: Instruction) -> Iterator[tuple[str, str | None]]:
    """Names and defaults of an ARG; None if it has no default."""
    for word in split_words(arg.text):
        name, given, default = unquoted(word).partition("=")
        yield name, default if given else None


def mount_options(mount: str) -> dict[str, str]:
    """The options of one `RUN --mount`, by lower-case name."""
    pairs = (option.partition("=") for option in unquoted(mount).split(","))
    return {name.strip().lower(): value for name, _, value in pairs}


def taken_from(instruction: Instruction) -> Iterator[str]:
    """The stages and images that a COPY or a RUN's mounts take files from, as written."""
    names = [*instruction.flag("from")] if instruction.name in ("COPY", "ADD") else []
    if instruction.name == "RUN":
        names += [mount_options(mount).get("from", "") for mount in instruction.flag("mount")]
    yield from (unquoted(name) for name in names if name)


def _is_stage(name: str, stages: list[str]) -> bool:
    return name.lower() in ("scratch", *stages) or (name.isdecimal() and int(name) < len(stages))


def _directives(lines: list[str]) -> dict[str, tuple[int, str]]:
    directives: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines, start=1):
        if number == 1 and line.startswith("#!"):
            continue
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None or match[1].lower() not in ("syntax", "escape", "check"):
            break
        directives.setdefault(match[1].lower(), (number, match[2]))
    return directives


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    goes_on = re.compile(rf"(^|[^{re.escape(escape)}]){re.escape(escape)}[ \t]*$")
    at = 0
    while at < len(lines):
        first, text, is_open = 0, "", True
        while is_open and at < len(lines):
            line = lines[at]
            at += 1
            # A comment or an empty line inside an instruction does not end it.
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            first = first or at
            is_open = goes_on.search(line) is not None
            text += goes_on.sub(r"\1", line)
        if not text.strip():
            continue
        read = _instruction(text, first, escape)
        documents = []
        for word, is_indented in _here_documents(read):
            documents.append(word)
            while at < len(lines):
                at += 1
                if (lines[at - 1].lstrip("\t") if is_indented else lines[at - 1]) == word:
                    break
        yield replace(read, here_documents=tuple(documents))


def _instruction(text: str, line: int, escape: str) -> Instruction:
    name, _, rest = re.sub(r"\s+", " ", text.strip(), count=1).partition(" ")
    flags = []
    rest = rest.lstrip()
    while rest.startswith("--"):
        word = next(iter(split_words(rest, escape)), "")
        rest = rest[len(word) :].lstrip()
        if word == "--":
            break
        key, _, value = word.removeprefix("--").partition("=")
        flags.append((key.lower(), unquoted(value)))
    return Instruction(line, name.upper(), tuple(flags), rest)


def _here_documents(instruction: Instruction) -> Iterator[tuple[str, bool]]:
    """The word that ends each here-document, and whether tabs may precede it."""
    held = instruction.trigger or instruction
    # In the JSON array form `<<` is an argument like any other.
    if held.name not in _MAY_HAVE_HERE_DOCUMENTS or held.text.startswith("["):
        return
    for word in split_words(held.text):
        match = _HERE_DOCUMENT.fullmatch(word)
        if match:
            yield unquoted(match[2]), bool(match[1])
