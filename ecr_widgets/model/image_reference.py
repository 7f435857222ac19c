"""Image references by the grammar that Docker uses.

Source: distribution/reference, "Grammar": a reference is `name[:tag][@digest]`; the first path component is a
registry if it contains a dot, a colon or a capital, or is `localhost`. One form that Docker accepts is refused here: a first
component like `a_b.example` looks like a host, but is neither a host nor a path that a registry serves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial

from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.text import cut

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?", re.ASCII)
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}", re.ASCII)
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}", re.ASCII)

NAME_MAX_LENGTH = 255
"""Most characters in the path, as Docker counts them."""

_shorten = partial(cut, longest=200)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """`registry/repository:tag@digest`, every part but the repository optional.

    >>> str(ImageReference.parse("127.0.0.1:5000/xfra-wait:1"))
    '127.0.0.1:5000/xfra-wait:1'
    """

    registry: str | None
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Parse a reference.

        Raises:
            InvalidReference: The text does not follow the grammar; the message names the part.
        """
        if not text or text != text.strip():
            raise _refuse(text, "it is empty or has white space around it")
        if _IMAGE_ID.fullmatch(text):
            raise _refuse(text, "it is an image id, which no registry knows", "name a repository")
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise _refuse(
                text,
                f"{_shorten(digest)!r} is not a digest",
                "a digest is sha256: and 64 hexadecimal digits in lower case",
            )
        tag = None
        slash, colon = rest.rfind("/"), rest.rfind(":")
        if colon > slash:
            rest, tag = rest[:colon], rest[colon + 1 :]
            check_tag(tag, of=text)
        registry, repository = _split_registry(rest)
        if registry is not None and not _REGISTRY.fullmatch(registry):
            raise _refuse(
                text, f"{_shorten(registry)!r} is not a registry host", "a host, perhaps with :port"
            )
        if len(_path_at_docker(registry, repository)) > NAME_MAX_LENGTH:
            raise _refuse(text, f"the path is longer than {NAME_MAX_LENGTH} characters", "shorten it")
        if not _PATH.fullmatch(repository):
            raise _refuse(
                text,
                f"{_shorten(repository)!r} is not a repository name",
                "lower-case letters and digits, one . or _ or __ or some - between them, / between parts",
            )
        return cls(registry, repository, tag, digest or None)

    def __str__(self) -> str:
        text = self.name
        if self.tag is not None:
            text += f":{self.tag}"
        if self.digest is not None:
            text += f"@{self.digest}"
        return text

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return self.repository if self.registry is None else f"{self.registry}/{self.repository}"

    def with_digest(self, digest: str) -> ImageReference:
        """The same repository, pinned to a digest; the tag is dropped, so that the two cannot disagree."""
        return ImageReference.parse(str(replace(self, tag=None, digest=digest)))

    def with_tag(self, tag: str) -> ImageReference:
        """The same repository under a tag, digest dropped."""
        return ImageReference.parse(str(replace(self, tag=tag, digest=None)))


def check_tag(tag: str, *, of: str | None = None) -> str:
    """Return the tag if it is valid.

    Raises:
        InvalidReference: Not a tag.
    """
    if not _TAG.fullmatch(tag):
        raise _refuse(
            of or tag,
            f"{_shorten(tag)!r} is not a tag",
            "1 to 128 letters, digits, _ . - and no . or - in front",
        )
    return tag


def check_repository_name(name: str) -> str:
    """Return the repository name if ECR accepts it: 2 to 256 characters in Docker's path grammar.

    Raises:
        InvalidReference: ECR would refuse the name.

    Source: Amazon ECR API, CreateRepository, repositoryName.
    """
    if not 2 <= len(name) <= 256 or not _PATH.fullmatch(name):
        raise _refuse(
            name,
            "not a repository name that ECR accepts",
            "2 to 256 characters: lower-case letters and digits, one . _ __ or some - between them, / between parts",
        )
    return name


def _split_registry(name: str) -> tuple[str | None, str]:
    first, slash, rest = name.partition("/")
    if slash and (any(mark in first for mark in ".:") or first == "localhost" or first.lower() != first):
        return first, rest
    return None, name


def _path_at_docker(registry: str | None, repository: str) -> str:
    """The path as Docker completes it: Docker Hub is the default, and a short name there is in `library`."""
    short = "/" not in repository and registry in {None, "docker.io", "index.docker.io"}
    return f"library/{repository}" if short else repository


def _refuse(text: str, why: str, hint: str | None = None) -> InvalidReference:
    return InvalidReference(f"image reference {_shorten(text)!r} refused: {why}", hint=hint)
