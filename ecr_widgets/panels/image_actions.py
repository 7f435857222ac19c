"""What can be done in the image panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ecr_widgets.model.image_reference import ImageReference, check_tag
from ecr_widgets.panels import scripts
from ecr_widgets.panels.offers import Action, Field, Values
from ecr_widgets.panels.plans import Plan

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.model.registry import Image
    from ecr_widgets.panels.images import ImagesPanel


def of_panel(panel: ImagesPanel) -> Sequence[Action]:
    """Build, push, read platforms."""
    return (
        Action(
            "push",
            "Push",
            f"Push a local image to {panel.repository}",
            lambda values: _push(panel, values),
            (
                Field("source", "Local image", panel.built, hint="its name or id", required=True),
                Field("tag", "Tag", hint="such as 2026.11", required=True),
            ),
            why_not=lambda values: _checked(check_tag, values["tag"]),
            asks_why=True,
        ),
        Action(
            "build",
            "Build",
            "Build a local image from a folder",
            lambda values: _build(panel, values),
            (
                Field("folder", "Folder", hint="build context with a Dockerfile", required=True),
                Field("name", "Local name", hint="of the image, such as team/app", required=True),
                Field("dockerfile", "Dockerfile", "Dockerfile", hint="in the folder"),
            ),
            why_not=lambda values: _checked(ImageReference.parse, values["name"]),
            asks_why=True,
        ),
        Action(
            "platforms",
            "Read platforms",
            "Read the manifests of the images that are shown; ECR counts that as a pull",
            lambda _: panel.look_into_all(),
        ),
    )


def of_image(panel: ImagesPanel, image: Image) -> Sequence[Action]:
    """Tag, pull, show runs, delete."""
    return (
        Action(
            "tag",
            "Set tag",
            "Add a tag to the image; nothing is pulled",
            lambda values: _set_tag(panel, image, values["tag"]),
            (Field("tag", "New tag", hint="such as stable", required=True),),
            why_not=lambda values: _checked(check_tag, values["tag"]),
            asks_why=True,
        ),
        Action("pull", "Pull", "Pull the image to this engine", lambda _: _pull(panel, image)),
        Action(
            "runs",
            "Show runs",
            "Read from the registry what runs did with the image; ECR counts that as pulls of what is attached",
            lambda _: panel.read_evidence(image),
        ),
        Action(
            "delete",
            "Delete",
            "Delete the image with all its tags",
            lambda values: _delete(panel, image, values["again"]),
            (Field("again", "To delete it, type the repository's name", required=True),),
            why_not=lambda values: (
                "" if values["again"] == panel.repository else f"that is not {panel.repository}"
            ),
            danger=True,
            asks_why=True,
        ),
    )


def _push(panel: ImagesPanel, values: Values) -> None:
    source, wanted = values["source"], values["tag"]
    panel.work_out(
        f"check which image {panel.repository}:{wanted} names",
        lambda kit: Plan(
            f"push {source} to {panel.repository}:{wanted}",
            _moved(panel, kit, wanted),
            scripts.PUSH.using(local_image=source, repository=panel.repository, tag=wanted),
        ),
    )


def _build(panel: ImagesPanel, values: Values) -> None:
    context, name, dockerfile = values["folder"], values["name"], values["dockerfile"] or "Dockerfile"

    def built() -> None:
        panel.built = name

    script = scripts.BUILD.using(context=context, local_name=name, dockerfile=dockerfile)
    panel.act(f"build {name} from {context}", script, then=built)


def _set_tag(panel: ImagesPanel, image: Image, wanted: str) -> None:
    name = _name(image)
    panel.work_out(
        f"check which image {panel.repository}:{wanted} names",
        lambda kit: Plan(
            f"tag {panel.repository} {name} as {wanted}",
            _moved(panel, kit, wanted, unless=image),
            scripts.TAG.using(repository=panel.repository, digest=image.digest, tag=wanted),
        ),
    )


def _pull(panel: ImagesPanel, image: Image) -> None:
    name = _name(image)
    panel.act(
        f"pull {panel.repository} {name}", scripts.PULL.using(repository=panel.repository, reference=name)
    )


def _delete(panel: ImagesPanel, image: Image, again: str) -> None:
    panel.act(
        f"delete {panel.repository} {image.digest}",
        scripts.DELETE_IMAGE.using(repository=panel.repository, digest=image.digest, typed_name=again),
    )


def _moved(panel: ImagesPanel, kit: Kit, tag: str, *, unless: Image | None = None) -> tuple[str, ...]:
    """The plan's line if a tag would move from its current image, which ECR is asked for: the list may be old or incomplete."""
    current = kit.look.image(panel.repository, tag)
    if current is None or (unless is not None and unless.digest == current.digest):
        return ()
    line = "the tag would move" + ("" if unless else ", unless this is the image that it names now")
    return (f"{line}: {current.digest}",)


def _name(image: Image) -> str:
    return image.tags[0] if image.tags else image.digest


def _checked(check: Callable[[str], object], text: str) -> str:
    """An empty reason; the check raises an error if there is one."""
    check(text)
    return ""
