"""Which builder builds an image on an engine, and what it would ignore: refused before the build, with a way out.

In this order: the engine's BuildKit through the buildx plug-in; through a docker command with its client built in; the
classic builder for what it does as BuildKit would. Podman builds with Buildah, which knows BuildKit's syntax.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ecr_widgets.adapters.build_tool import INSTALL, BuildTool
from ecr_widgets.errors import BuildRefused
from ecr_widgets.model.build_context import BuildContext
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.dockerfile import Dockerfile
from ecr_widgets.model.dockerfile_needs import names_standard_syntax, needs_of, stages_in_other_letters
from ecr_widgets.model.engine_facts import EngineFacts, ImageStore

_LINKS_OF_PODMAN = (5, 6)
_STORE = (
    "switch the engine to containerd's image store (`features` of its daemon.json: `containerd-snapshotter`)"
)


@dataclass(frozen=True, slots=True)
class Builder:
    """The builder of one engine."""

    engine: EngineFacts
    tool: BuildTool | None
    """The client of the engine's BuildKit; None if the engine's own build call is used."""

    def __str__(self) -> str:
        if self.tool is not None:
            return f"BuildKit by {self.tool}"
        return "Buildah" if self.engine.store is ImageStore.PODMAN else "the classic builder"

    def check(self, context: BuildContext, options: BuildOptions) -> None:
        """Refuse what this builder would ignore, or would fail at in the middle of the build.

        Raises:
            BuildRefused: Names the Dockerfile's line or the option, and a way out.
        """
        for what, hint in (
            *self._not_in_the_dockerfile(context, options),
            *self._not_in_the_ignore_file(context),
            *self._not_for_options(options),
        ):
            raise BuildRefused(f"the build was refused before it began: {what}", hint=hint)

    def _not_in_the_dockerfile(
        self, context: BuildContext, options: BuildOptions
    ) -> Iterator[tuple[str, str]]:
        dockerfile = context.read_dockerfile()
        name = context.dockerfile.name
        if self.engine.store is ImageStore.PODMAN:
            yield from self._not_for_podman(name, dockerfile)
            return
        for need in needs_of(dockerfile, options.build_args):
            if self.tool is None:
                yield f"{name}, line {need.line}: {need.what} takes BuildKit", INSTALL
            elif not dockerfile.syntax and not self.engine.is_at_least(need.since):
                yield (
                    f"{name}, line {need.line}: {need.what} is not known to the BuildKit of engine {self.engine.version}",
                    f"use engine {need.since} or newer, or begin the file with `# syntax=docker/dockerfile:1`",
                )

    def _not_for_podman(self, name: str, dockerfile: Dockerfile) -> Iterator[tuple[str, str]]:
        if dockerfile.syntax and not names_standard_syntax(dockerfile):
            line = dockerfile.directives["syntax"][0]
            yield (
                f"{name}, line {line}: Podman would not use the frontend {dockerfile.syntax!r}",
                "build it on a Docker Engine",
            )
        for need in stages_in_other_letters(dockerfile):
            yield (
                f"{name}, line {need.line}: Podman would not find {need.what}",
                "write its name as the FROM does",
            )
        if self.engine.is_at_least(*_LINKS_OF_PODMAN):
            return
        for each in dockerfile.instructions:
            if (each.trigger or each).flag("link"):
                yield (
                    f"{name}, line {each.line}: Podman {self.engine.version} does not support `--link`",
                    "use Podman 5.6 or newer, or leave it out",
                )

    def _not_in_the_ignore_file(self, context: BuildContext) -> Iterator[tuple[str, str]]:
        if self.tool is not None and not self.tool.reads_ignore_files_as_today:
            for pattern in context.ignored().patterns:
                if not pattern.is_read_alike:
                    text = f"{'!' * pattern.is_exception}{pattern.text}"
                    yield (
                        f"{self.tool} reads {text!r} of the ignore file differently from newer ones",
                        INSTALL,
                    )

    def _not_for_options(self, options: BuildOptions) -> Iterator[tuple[str, str]]:
        is_plugin = self.tool is not None and self.tool.is_plugin
        of_buildkit = {
            "secrets": (options.secrets, self.tool is not None),
            "cache_from": (options.cache_from, self.tool is not None),
            "cache_to": (options.cache_to, is_plugin),
            "provenance": (options.provenance, is_plugin),
            "several platforms": (len(options.platforms) > 1, is_plugin),
        }
        for what, (asked, is_done) in of_buildkit.items():
            if asked and not is_done:
                is_podman = self.engine.store is ImageStore.PODMAN
                yield (
                    f"{what} {'take' if what.endswith('s') else 'takes'} BuildKit by the buildx plug-in",
                    "build on a Docker Engine: Podman has no BuildKit" if is_podman else INSTALL,
                )
        if not self.engine.ids_are_manifests:
            if len(options.platforms) > 1:
                yield "this engine's image store keeps one platform of an image", _STORE
            if options.cache_to:
                yield "this engine's image store can export no cache", _STORE
            if options.provenance:
                yield "this engine's image store keeps no provenance", _STORE
        if options.provenance and not self.engine.pushes_indexes:
            yield (
                f"engine {self.engine.version} would push an image with provenance wrongly",
                "use engine 28.2 or newer",
            )
