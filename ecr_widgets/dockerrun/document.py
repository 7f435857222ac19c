"""The document given to Layer0: parse it, set image and environment, list what it holds.

Beside this: `dockerrun_reading` is strict JSON, `dockerrun_members` what members there are, `dockerrun_rules`,
`dockerrun_container` and `dockerrun_relations` are what Layer0 and ECS take, `dockerrun_risks` what is dangerous, `dockerrun_form` the canonical form, `dockerrun_diff` the difference of two.

Source: Layer0 reads containerDefinitions, volumes, family, networkMode, taskRoleArn and placementConstraints, in any key
case, and drops all else silently.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ecr_widgets.dockerrun.form import canonical_form, member
from ecr_widgets.dockerrun.members import unread_members
from ecr_widgets.dockerrun.placeholders import unfilled_places
from ecr_widgets.dockerrun.reading import MAX_SIZE_BYTES, check_size, check_values, read_json, shorten
from ecr_widgets.dockerrun.risks import Risk, risks
from ecr_widgets.dockerrun.rules import check_document
from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.model.image_reference import ImageReference

__all__ = ["MAX_SIZE_BYTES", "Container", "Dockerrun", "PortMapping", "Risk"]


@dataclass(frozen=True, slots=True)
class PortMapping:
    """One port of a container. `host_port` is None where any free one is taken."""

    container_port: int
    host_port: int | None
    protocol: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a Dockerrun."""

    name: str
    image: str
    memory_mib: int
    """The limit, or the reservation where no limit is set."""
    essential: bool
    environment: Mapping[str, str] = field(repr=False)
    """Out of the repr, because it may hold secrets."""
    ports: tuple[PortMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class Dockerrun:
    """A checked Dockerrun; member order and unknown members are kept as they are."""

    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, content: bytes) -> Dockerrun:
        """Read and check a Dockerrun.

        Raises:
            InvalidDockerrun: With the place as JSON pointer, what is wrong and what to write instead.
        """
        document = read_json(content)
        check_document(document)
        return cls(document)

    @classmethod
    def template(cls, content: bytes) -> Dockerrun:
        """Read and check a Dockerrun whose image `with_image` is going to set.

        Until then the image may be any text, or missing.

        Raises:
            InvalidDockerrun: As for `parse`.
        """
        document = read_json(content)
        check_document(document, images=False)
        return cls(document)

    @property
    def containers(self) -> tuple[Container, ...]:
        """The containers in order."""
        return tuple(_container(raw) for raw in _containers_in(self.document))

    def with_image(self, image: ImageReference, *, container: str | None = None) -> Dockerrun:
        """The same document with a container's image set.

        Args:
            container: Whose image is set; may be left out where there is exactly one.

        Raises:
            InvalidDockerrun: No such container, or none named where there are several.
        """
        changed, raw = self._copy_for(container)
        raw[member(raw, "image")[0]] = str(image)
        return changed._checked()

    def with_environment(self, container: str, variables: Mapping[str, str]) -> Dockerrun:
        """The same document with environment variables of a container set; the others stay.

        Raises:
            InvalidDockerrun: No such container, or a variable that no environment can hold.
        """
        changed, raw = self._copy_for(container)
        # A new member takes the case of those around it, so that the document stays of one hand.
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
        """What is legal and probably not intended: members that Layer0 drops, and placeholders that were not filled in."""
        return (
            *(f"Layer0 does not read {pointer} and drops it" for pointer in unread_members(self.document)),
            *(f"{pointer} still holds a placeholder" for pointer in unfilled_places(self.document)),
        )

    def risks(self) -> tuple[Risk, ...]:
        """Settings that give a container power over the machine, which a person should agree to."""
        return tuple(risks(self.document))

    def to_bytes(self) -> bytes:
        """The document as compact JSON, the same bytes each time."""
        return json.dumps(self.document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()

    def normalized(self) -> dict[str, Any]:
        """The canonical form: documented spelling, nothing empty, nothing that Layer0 or ECS adds by itself."""
        return canonical_form(self.document)

    def content_sha256(self) -> str:
        """SHA-256 (hexadecimal) of the canonical form."""
        text = json.dumps(self.normalized(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def _checked(self, *, images: bool = True) -> Dockerrun:
        check_values(self.document)
        check_document(self.document, images=images)
        check_size(self.to_bytes())
        return self

    def _copy_for(self, container: str | None) -> tuple[Dockerrun, dict[str, Any]]:
        names = [each.name for each in self.containers]
        place = f"/{member(self.document, 'containerDefinitions')[0]}"
        if container is None and len(names) > 1:
            raise InvalidDockerrun(
                f"several containers: {', '.join(names)}", pointer=place, hint="name the one to set"
            )
        wanted = names[0] if container is None else container
        if wanted not in names:
            raise InvalidDockerrun(
                f"no container {shorten(wanted)}", pointer=place, hint=f"it has: {', '.join(names)}"
            )
        changed = Dockerrun(copy.deepcopy(dict(self.document)))
        return changed, _containers_in(changed.document)[names.index(wanted)]


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
