"""What a build sends and asks: ignore files in every form, and syntax that the builder at hand would drop."""

# ruff: noqa: PT017 -- the row judges an error that may not come

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from docker.utils.build import exclude_paths

from ecr_widgets.adapters.builder import Builder
from ecr_widgets.errors import BuildError
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.engine_facts import EngineFacts, ImageStore
from tests.faults.plan import Attempt, row

# File that must stay at home, the ignore file's name and what it says of the file. docker-py sends each.
_IGNORED = (
    (".env", ".dockerignore", b"\xef\xbb\xbf.env\n"),
    ("id_rsa", "Dockerfile.dockerignore", b"id_*\n"),
    ("#token", ".dockerignore", b"\\#token\n"),
    ("!token", ".dockerignore", b"[!t]token\n"),
)
_DROPPED = (
    "RUN <<EOF\necho made > /made\nEOF",
    "RUN cat <<-'END' > /made\nmade\nEND",
    "COPY <<one /one\none\none",
    "COPY --link kept /kept",
    "COPY --chmod=600 kept /kept",
    "RUN --mount=type=bind,target=/context cat /context/kept > /made",
    "ARG TARGETARCH\nRUN echo $TARGETARCH > /made",
    "FROM --platform=$BUILDPLATFORM scratch",
)
_CLASSIC = Builder(
    EngineFacts("Docker Engine", "28.5.2", "1.51", ImageStore.GRAPH_DRIVER, "overlay2", "unix:///here.sock"),
    None,
)


def _by_docker_py(folder: Path) -> set[str]:
    ignore = folder / ".dockerignore"
    lines = [line.strip() for line in ignore.read_text().splitlines()] if ignore.exists() else []
    patterns = [line for line in lines if line and not line.startswith("#")]
    return set(exclude_paths(str(folder), patterns, dockerfile="Dockerfile"))


def _as_sent(folder: Path) -> set[str]:
    _, pieces = find_context(folder, "Dockerfile").archive()
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        return set(tar.getnames())


def _checked(folder: Path) -> None:
    _CLASSIC.check(find_context(folder, "Dockerfile"), BuildOptions())


def _build(at: Attempt, sent: Callable[[Path], set[str]], check: Callable[[Path], None]) -> None:
    secret, ignore, content = at.rng.choice(_IGNORED)
    ending = at.rng.choice((b"\n", b"\r\n"))
    (at.folder / secret).write_text("of nobody's business")
    (at.folder / ignore).write_bytes(content.replace(b"\n", ending) + b"*.tmp" + ending)
    (at.folder / "kept").write_text("kept")
    (at.folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    found = sent(at.folder)
    assert "kept" in found
    assert secret not in found, f"{secret} was sent although {ignore} names it"
    check(at.folder)
    (at.folder / "Dockerfile").write_text(f"FROM scratch\n{at.rng.choice(_DROPPED)}\n")
    try:
        check(at.folder)
    except BuildError as error:
        assert "line 2: " in error.message
        assert "docker-buildx" in str(error.hint)
        return
    raise AssertionError("a build that would drop what its Dockerfile says was begun")


def _unguarded(at: Attempt) -> None:
    _build(at, _by_docker_py, lambda _: None)


@row(
    77,
    "builds: a file that an ignore file names in one of docker's forms; syntax that the classic builder would drop",
    tries=200,
    quick=20,
    control=_unguarded,
)
def builds(at: Attempt) -> None:
    """The file stays at home, and the build is refused with its line before it begins."""
    _build(at, _as_sent, _checked)
