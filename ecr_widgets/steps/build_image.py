"""Build an image from a Dockerfile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecr_widgets.errors import BuildError
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Engine, ProgressSink, ignore_progress


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """The local image under its name; `image_id` is the digest of its config."""

    image: str
    image_id: str
    changed: bool


def build_image(
    engine: Engine,
    context: Path,
    *,
    name: str,
    dockerfile: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
    progress: ProgressSink = ignore_progress,
) -> BuildOutcome:
    """Build the image and give it a local name.

    Args:
        context: Folder that is sent to the engine.

        name: Local name of the image, such as `xfra/wait`.

        dockerfile: Path of the Dockerfile, relative to the context.

        build_args: Values of the Dockerfile's ARGs. They stay in the image's history: no secrets.

    Raises:
        InvalidReference: Not a name for an image.

        BuildError: The Dockerfile is missing or a step failed.
    """
    reference = ImageReference.parse(name)
    check_context(context, dockerfile)
    before = engine.find_image_id(str(reference))
    image_id = engine.build(
        context, dockerfile=dockerfile, tags=[str(reference)], build_args=build_args or {}, progress=progress
    )
    return BuildOutcome(str(reference), image_id, changed=before != image_id)


def check_context(context: Path, dockerfile: str) -> None:
    """Refuse a folder that cannot be built.

    Raises:
        BuildError: No folder, or no Dockerfile in it.
    """
    if not context.is_dir():
        raise BuildError(f"the build context {str(context)!r} is not a folder", hint="check the path")
    if not (context / dockerfile).is_file():
        raise BuildError(
            f"no Dockerfile {dockerfile!r} in the build context {str(context)!r}",
            hint="give its path relative to the context",
        )
