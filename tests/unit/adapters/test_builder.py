"""Which builder is used, and what it refuses before the build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.adapters.build_tool import BuildTool
from ecr_widgets.adapters.builder import Builder
from ecr_widgets.errors import BuildRefused
from ecr_widgets.model.build_context import find_context
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.engine_facts import EngineFacts, ImageStore

PLUGIN = BuildTool("docker-buildx", (0, 29), is_plugin=True)
COMMAND = BuildTool("docker", (20, 10), is_plugin=False)


def engine(version: str = "28.5.2", store: ImageStore = ImageStore.GRAPH_DRIVER) -> EngineFacts:
    return EngineFacts("Docker Engine", version, "1.41", store, "overlay2", "unix:///here.sock")


PODMAN = engine("5.4.2", ImageStore.PODMAN)
NEW_PODMAN = engine("5.8.6", ImageStore.PODMAN)
CONTAINERD = engine(store=ImageStore.CONTAINERD)
OLD = engine("20.10.24")


def check(builder: Builder, folder: Path, text: str = "FROM scratch\n", **wishes: Any) -> None:
    (folder / "Dockerfile").write_text(text)
    builder.check(find_context(folder, "Dockerfile"), BuildOptions.read(**wishes))


def test_what_builds_is_named() -> None:
    """Each builder has a name with its version, which records contain."""
    assert [str(Builder(*each)) for each in ((OLD, PLUGIN), (OLD, COMMAND), (OLD, None), (PODMAN, None))] == [
        "BuildKit by buildx 0.29",
        "BuildKit by the docker command 20.10",
        "the classic builder",
        "Buildah",
    ]


HERE_DOCUMENT = "FROM scratch\nRUN <<EOF\ntrue\nEOF\n"


@pytest.mark.parametrize(
    ("builder", "text", "told"),
    [
        (Builder(CONTAINERD, None), HERE_DOCUMENT, r"line 2: the here-document `RUN <<EOF` takes BuildKit; install"),
        (Builder(OLD, None), "FROM scratch\nCOPY --link a b\n", "line 2: `COPY --link` takes BuildKit; install"),
        (Builder(OLD, PLUGIN), HERE_DOCUMENT, "not known to the BuildKit of engine 20.10.24; use engine 23 or newer"),
        (Builder(OLD, COMMAND), HERE_DOCUMENT, "not known to the BuildKit of engine"),
        (Builder(PODMAN, None), "FROM a\nONBUILD COPY --link a b\n", "line 2: Podman 5.4.2 does not support `--link`"),
        (Builder(PODMAN, None), "FROM a AS One\nFROM b\nCOPY --from=one x y\n", "line 3: Podman would not find the stage 'One'"),
        (Builder(PODMAN, None), f"# syntax=a/frontend\n{HERE_DOCUMENT}", "Podman would not use the frontend"),
    ],
)  # fmt: skip
def test_a_dockerfile_that_would_not_be_honoured_is_refused(
    tmp_path: Path, builder: Builder, text: str, told: str
) -> None:
    """A Dockerfile with syntax that the builder does not support is refused with the line and a remedy."""
    with pytest.raises(BuildRefused, match=f"refused before it began: Dockerfile, .*{told}"):
        check(builder, tmp_path, text)


@pytest.mark.parametrize(
    ("builder", "text"),
    [
        (Builder(CONTAINERD, PLUGIN), HERE_DOCUMENT),
        (Builder(OLD, PLUGIN), f"# syntax=docker/dockerfile:1\n{HERE_DOCUMENT}"),
        (Builder(OLD, COMMAND), "FROM scratch\nRUN --mount=type=cache,target=/c true\n"),
        (Builder(PODMAN, None), f"# syntax=docker/dockerfile:1\n{HERE_DOCUMENT}"),
        (Builder(NEW_PODMAN, None), "FROM a\nCOPY --link a b\n"),
        (Builder(engine("dev"), PLUGIN), HERE_DOCUMENT),
        (Builder(PODMAN, None), "FROM a AS One\nFROM b\nCOPY --from=One x y\nCOPY --from=Other x y\n"),
        (Builder(OLD, None), "FROM a AS One\nFROM b\nCOPY --from=one x y\n"),
        (Builder(OLD, None), "# syntax=docker/dockerfile:1\nFROM scratch\nCOPY --chown=1 a b\n"),
    ],
)
def test_a_dockerfile_that_is_honoured_is_built(tmp_path: Path, builder: Builder, text: str) -> None:
    """A Dockerfile that the builder supports is accepted, as is syntax that its own frontend brings."""
    check(builder, tmp_path, text)


@pytest.mark.parametrize("pattern", ["!**/*.md", "!docs/*/a", "**foo", "a^b", "é*", "(a|b).py"])
def test_what_an_old_client_would_send_otherwise_is_refused(tmp_path: Path, pattern: str) -> None:
    """An ignore pattern that the docker command 20.10 reads differently is refused for it; the plug-in accepts it."""
    (tmp_path / ".dockerignore").write_text(f"{pattern}\n")
    check(Builder(OLD, PLUGIN), tmp_path)
    with pytest.raises(BuildRefused, match="of the ignore file differently"):
        check(Builder(OLD, COMMAND), tmp_path)


@pytest.mark.parametrize("pattern", ["*.py", "docs/**", "**/*.md", "!docs/a.md", "[a-c]?", "\\#x"])
def test_what_all_clients_read_alike_is_taken(tmp_path: Path, pattern: str) -> None:
    """An ignore pattern that all clients read alike is accepted for the docker command 20.10."""
    (tmp_path / ".dockerignore").write_text(f"{pattern}\n")
    check(Builder(OLD, COMMAND), tmp_path)


SECRET, CACHE = {"secrets": {"npm": "NPM_TOKEN"}}, {"cache_to": "a/cache:1"}


@pytest.mark.parametrize(
    ("builder", "wishes", "told"),
    [
        (Builder(OLD, None), SECRET, "secrets take BuildKit by the buildx plug-in; install"),
        (Builder(PODMAN, None), SECRET, "build on a Docker Engine"),
        (Builder(OLD, None), {"cache_from": "a/cache:1"}, "cache_from takes BuildKit"),
        (Builder(OLD, COMMAND), CACHE, "cache_to takes BuildKit by the buildx plug-in"),
        (Builder(OLD, None), {"platform": "linux/amd64,linux/arm64"}, "several platforms take BuildKit"),
        (Builder(OLD, PLUGIN), {"platform": "linux/amd64,linux/arm64"}, "keeps one platform of an image; switch"),
        (Builder(OLD, PLUGIN), CACHE, "can export no cache; switch"),
        (Builder(OLD, PLUGIN), {"provenance": True}, "keeps no provenance; switch"),
        (Builder(engine("26.1.5", ImageStore.CONTAINERD), PLUGIN), {"provenance": True}, "use engine 28.2"),
    ],
)  # fmt: skip
def test_options_that_would_be_dropped_are_refused(
    tmp_path: Path, builder: Builder, wishes: dict[str, Any], told: str
) -> None:
    """An option that the builder, image store or version would ignore is refused with a remedy."""
    with pytest.raises(BuildRefused, match=told):
        check(builder, tmp_path, **wishes)


def test_options_that_are_honoured_are_taken(tmp_path: Path) -> None:
    """All options are accepted with a current engine and plug-in, and older builders accept those they support."""
    wishes = {
        "platform": "linux/amd64,linux/arm64",
        "provenance": True,
        "cache_from": "a/cache:1",
        **CACHE,
        **SECRET,
    }
    check(Builder(CONTAINERD, PLUGIN), tmp_path, **wishes)
    check(Builder(OLD, COMMAND), tmp_path, cache_from="a/cache:1", platform="linux/arm64", **SECRET)
    check(Builder(PODMAN, None), tmp_path, platform="linux/arm64", target="x", pull=True)
