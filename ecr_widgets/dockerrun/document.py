"""The document that a target stores: parse it, set image and environment, list what it holds.

A Dockerrun is an ECS task definition, of which Layer0 reads a part; `Dialect` says for which of the two it is read.

Elsewhere: `reading` has strict JSON, `kinds` and `members` the known members, `rules`, `container` and `relations` what
Layer0 and ECS accept, `dialect` how the two differ, `form` the canonical form, `diff` the differences between two.

Source: Layer0 reads containerDefinitions, volumes, family, networkMode, taskRoleArn and placementConstraints, in any key
case, and silently drops everything else.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ecr_widgets.dockerrun.dialect import RULES, called_by_its_name
from ecr_widgets.dockerrun.ecs_input import ecs_input, unwrapped
from ecr_widgets.dockerrun.form import NAMED, canonical_form, member
from ecr_widgets.dockerrun.kinds import unknown_places, unread_members
from ecr_widgets.dockerrun.members import DOCUMENT
from ecr_widgets.dockerrun.placeholders import unfilled_places
from ecr_widgets.dockerrun.reading import MAX_SIZE_BYTES, check_size, check_values, read_json, shorten
from ecr_widgets.dockerrun.risks import Risk, risks
from ecr_widgets.dockerrun.rules import check_rules, check_shape
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.services import Dialect

_LARGEST_FILE_BYTES = 4 * MAX_SIZE_BYTES
"""For a task definition: what ECS returns is larger than what it accepts."""

__all__ = ["MAX_SIZE_BYTES", "Container", "Dockerrun", "PortMapping", "Risk"]


@dataclass(frozen=True, slots=True)
class PortMapping:
    """One port of a container. `host_port` is None if it is absent or 0."""

    container_port: int
    host_port: int | None
    protocol: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a Dockerrun."""

    name: str
    image: str
    memory_mib: int | None
    """The limit, or the reservation if no limit is set; None if only its task has memory."""
    essential: bool
    environment: Mapping[str, str] = field(repr=False)
    """Kept out of the repr because it may hold secrets."""
    ports: tuple[PortMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class Dockerrun:
    """A checked Dockerrun; member order and unknown members are kept."""

    document: Mapping[str, Any] = field(repr=False)
    dialect: Dialect = Dialect.LAYER0
    left_out: tuple[str, ...] = field(default=(), compare=False)
    """JSON pointers, in the document as read, to what ECS adds to a definition and refuses in a new one."""

    @classmethod
    def parse(cls, content: bytes, dialect: Dialect = Dialect.LAYER0) -> Dockerrun:
        """Read and check a Dockerrun or task definition; for ECS also the output of `describe-task-definition`.

        Raises:
            InvalidDockerrun: With the place as JSON pointer, what is wrong and what to write instead.
        """
        return _parsed(content, dialect, images=True)

    @classmethod
    def template(cls, content: bytes, dialect: Dialect = Dialect.LAYER0) -> Dockerrun:
        """Read and check a Dockerrun whose image `with_image` will set.

        Until then the image may be any text, or missing.

        Raises:
            InvalidDockerrun: As for `parse`.
        """
        return _parsed(content, dialect, images=False)

    @classmethod
    def described(cls, definition: Mapping[str, Any]) -> Dockerrun:
        """A task definition stored in ECS. ECS has checked it, so only its shape is checked here.

        Args:
            definition: `taskDefinition` of DescribeTaskDefinition.

        Raises:
            InvalidDockerrun: A member has another type than this version expects.
        """
        with called_by_its_name(Dialect.ECS):
            return _shaped(definition, Dialect.ECS)[0]

    @classmethod
    def stored(cls, content: bytes, dialect: Dialect) -> Dockerrun:
        """Read what a deploy target has stored.

        Raises:
            InvalidDockerrun: Not something that this kit would have stored.
        """
        return (
            cls.described(read_json(content, _LARGEST_FILE_BYTES))
            if dialect is Dialect.ECS
            else cls.parse(content)
        )

    @property
    def family(self) -> str | None:
        """The name that a task definition gives itself, which is not part of its content; None if it has none."""
        return member(self.document, "family")[1] or None

    @property
    def containers(self) -> tuple[Container, ...]:
        """The containers in order."""
        return tuple(_container(raw) for raw in _containers_in(self.document))

    def with_image(self, image: ImageReference, *, container: str | None = None) -> Dockerrun:
        """The same document with a container's image set.

        Args:
            container: The one whose image is set; may be left out or empty if there is only one.

        Raises:
            InvalidDockerrun: No such container, or several containers and none named.
        """
        changed, raw = self._copy_for(container)
        raw[member(raw, "image")[0]] = str(image)
        return changed._checked()

    def with_environment(self, container: str, variables: Mapping[str, str]) -> Dockerrun:
        """The same document with some of a container's environment variables set; the others stay.

        Raises:
            InvalidDockerrun: No such container, or a variable that no environment can hold.
        """
        changed, raw = self._copy_for(container)
        # New members follow the case of those around them, so that the document stays consistent.
        pascal = member(raw, "name")[0][:1].isupper()
        key, current = member(raw, "environment")
        key = "Environment" if pascal and current is None and key not in raw else key
        items = list(current or ())
        raw[key] = items
        places = {member(item, "name")[1]: item for item in items}
        for name, value in variables.items():
            if name in places:
                places[name][member(places[name], "value")[0]] = value
            else:
                items.append({"Name": name, "Value": value} if pascal else {"name": name, "value": value})
        # A template has no image yet.
        return changed._checked(images=False)

    def warnings(self) -> tuple[str, ...]:
        """What is legal but may not be intended: members that are dropped or unknown, placeholders that were not filled in,
        and power over the machine.
        """
        general = (
            *(f"{pointer} still holds a placeholder" for pointer in unfilled_places(self.document)),
            *(f"{risk.pointer} {risk.what}" for risk in self.risks()),
        )
        if self.dialect is Dialect.LAYER0:
            unread = unread_members(self.document, DOCUMENT)
            return (*(f"Layer0 does not read {pointer} and drops it" for pointer in unread), *general)
        return (
            *(
                f"{pointer} is not a setting of a new task definition and is left out"
                for pointer in self.left_out
            ),
            *(
                f"{pointer} is not known here and goes to ECS as it is"
                + (f"; did you mean {meant}?" if meant else "")
                for pointer, meant in unknown_places(self.document, DOCUMENT)
            ),
            *general,
        )

    def risks(self) -> tuple[Risk, ...]:
        """Settings that give a container power over the machine, which a person should approve."""
        return tuple(risks(self.document, self.dialect))

    def refuse_risks(self) -> None:
        """Refuse a document that gives a container power over the machine it runs on.

        Raises:
            InvalidDockerrun: It does; the message names each such setting.
        """
        if found := self.risks():
            first, *others = found
            also = "".join(f"; {risk.pointer}: {risk.what}" for risk in others)
            with called_by_its_name(self.dialect):
                raise InvalidDockerrun(
                    f"{first.what}{also}",
                    pointer=first.pointer,
                    hint="take it out; if the container needs it, set allow_risks (for the deploy command: --allow-risks)",
                )

    def to_bytes(self) -> bytes:
        """The document as compact JSON, the same bytes each time; for ECS the input of RegisterTaskDefinition without the
        family.
        """
        hidden = RULES[self.dialect].not_sent
        sent = {name: item for name, item in self.document.items() if name not in hidden}
        return json.dumps(sent, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()

    def normalized(self) -> dict[str, Any]:
        """The canonical form: documented spelling, nothing empty, nothing that Layer0 or ECS adds by itself."""
        return canonical_form(self.document, self.dialect)

    def content_sha256(self) -> str:
        """SHA-256 (hexadecimal) of the canonical form."""
        form = self.normalized()
        if not RULES[self.dialect].order_counts:
            form |= {name: sorted(form[name], key=_name_of) for name in NAMED if name in form}
        text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def _checked(self, *, images: bool = True) -> Dockerrun:
        with called_by_its_name(self.dialect):
            check_values(self.document)
            check_shape(self.document, self.dialect)
            check_rules(self.document, self.dialect, images=images)
            check_size(self.to_bytes())
        return self

    def _copy_for(self, container: str | None) -> tuple[Dockerrun, dict[str, Any]]:
        names = [each.name for each in self.containers]
        place = f"/{member(self.document, 'containerDefinitions')[0]}"
        if not container and len(names) > 1:
            raise InvalidDockerrun(
                f"several containers: {', '.join(names)}", pointer=place, hint="name the one to set"
            )
        wanted = container or names[0]
        if wanted not in names:
            raise InvalidDockerrun(
                f"no container {shorten(wanted)}", pointer=place, hint=f"it has: {', '.join(names)}"
            )
        changed = replace(self, document=copy.deepcopy(dict(self.document)))
        return changed, _containers_in(changed.document)[names.index(wanted)]


def _parsed(content: bytes, dialect: Dialect, *, images: bool) -> Dockerrun:
    with called_by_its_name(dialect):
        largest = MAX_SIZE_BYTES if dialect is Dialect.LAYER0 else _LARGEST_FILE_BYTES
        read, root = _shaped(read_json(content, largest), dialect)
        check_rules(read.document, dialect, root, images=images)
        check_size(read.to_bytes())
    return read


def _shaped(document: Mapping[str, Any], dialect: Dialect) -> tuple[Dockerrun, str]:
    """The document with its members checked but not yet its rules, and its place in what was read."""
    if dialect is Dialect.LAYER0:
        check_shape(document, dialect)
        return Dockerrun(document), ""
    definition, root = unwrapped(document)
    check_shape(definition, dialect, root)
    taken, left_out = ecs_input(definition, root)
    return Dockerrun(taken, dialect, left_out), root


def _name_of(item: Mapping[str, Any]) -> str:
    return str(item.get("name", ""))


def _containers_in(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    containers: list[dict[str, Any]] = member(document, "containerDefinitions")[1]
    return containers


def _container(raw: Mapping[str, Any]) -> Container:
    environment = member(raw, "environment")[1] or ()
    return Container(
        name=member(raw, "name")[1],
        image=member(raw, "image")[1],
        memory_mib=member(raw, "memory")[1] or member(raw, "memoryReservation")[1],
        essential=member(raw, "essential")[1] is not False,
        environment=MappingProxyType({member(i, "name")[1]: member(i, "value")[1] for i in environment}),
        ports=tuple(
            PortMapping(
                member(mapping, "containerPort")[1],
                member(mapping, "hostPort")[1] or None,
                member(mapping, "protocol")[1] or "tcp",
            )
            for mapping in member(raw, "portMappings")[1] or ()
        ),
    )
