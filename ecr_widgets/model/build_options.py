"""Options of a build beyond its folder and name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecr_widgets.errors import InputError
from ecr_widgets.model.image_reference import ImageReference

_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?")
_SECRET_ID = re.compile(r"[\w.-]+")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Build options in the form that builders take; `steps.build_image.BuildImage` says what each means."""

    dockerfile: str = "Dockerfile"
    """Path relative to the context, or absolute."""
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    platforms: tuple[str, ...] = ()
    """Empty for the engine's own."""
    pull: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    cache_from: tuple[ImageReference, ...] = ()
    cache_to: tuple[ImageReference, ...] = ()
    provenance: bool = False

    @classmethod
    def read(
        cls,
        dockerfile: str = "Dockerfile",
        *,
        platform: str = "",
        cache_from: str = "",
        cache_to: str = "",
        secrets: Mapping[str, str] | Sequence[str] = (),
        **others: Any,
    ) -> BuildOptions:
        """Parse the options as a person gives them.

        Raises:
            InputError: An option that no builder accepts.
        """
        return cls(
            dockerfile,
            platforms=_parts(platform),
            cache_from=tuple(map(ImageReference.parse, _parts(cache_from))),
            cache_to=tuple(map(ImageReference.parse, _parts(cache_to))),
            secrets=secrets if isinstance(secrets, Mapping) else dict(map(_id_and_variable, secrets)),
            **others,
        )

    def __post_init__(self) -> None:
        """Check what can be checked without the builder and the Dockerfile.

        Raises:
            InputError: A platform, an id or a variable that no builder accepts.
        """
        if self.dockerfile == "-":
            raise InputError(
                "a Dockerfile from standard input is not read",
                hint="write it to a file, which may be outside of the context",
            )
        for platform in self.platforms:
            if not _PLATFORM.fullmatch(platform):
                raise InputError(
                    f"{platform!r} is not a platform",
                    hint="such as linux/amd64 or linux/arm/v7; commas between several",
                )
        for name, variable in self.secrets.items():
            if not _SECRET_ID.fullmatch(name) or not _NAME.fullmatch(variable):
                raise InputError(
                    f"build secret {name!r} refused: ids have letters, digits, _ . and -, and what is given is the name"
                    " of the environment variable that holds the secret",
                    hint="set a variable, and name it",
                )

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, for records: build arguments by name only."""
        members: dict[str, Any] = {
            "target": self.target,
            "platforms": list(self.platforms),
            "pull": self.pull,
            "labels": dict(self.labels),
            "secrets": dict(self.secrets),
            "cache_from": [str(each) for each in self.cache_from],
            "cache_to": [str(each) for each in self.cache_to],
            "provenance": self.provenance,
        }
        return {name: value for name, value in members.items() if value}


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for each in text.split(",") if (part := each.strip()))


def _id_and_variable(text: str) -> tuple[str, str]:
    name, _, variable = text.partition("=")
    return name, variable or name
