"""The controls of the image panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecr_widgets.model.image_reference import ImageReference, check_tag
from ecr_widgets.panels import controls as made
from ecr_widgets.panels.base import Plan

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.model.registry import Image
    from ecr_widgets.panels.images import ImagesPanel


class ImageControls:
    """Widgets of one image panel."""

    def __init__(self, panel: ImagesPanel) -> None:
        self._panel = panel
        self._chosen = made.suggestion("Image", "a tag or a digest")
        self._digest_reference = made.text(
            "Reference by digest", "choose an image, then copy this", wide=True
        )
        words = made.filtering(made.text("Filter", "tag or digest"), panel.filter)
        work = made.group("Work on an image", self._reference(), self._naming(), self._deletion())
        platforms = made.button(
            "Read platforms",
            "Read the manifests of the images at the top; ECR counts that as a pull",
            panel.look_into_all,
        )
        self.widget = made.rows(made.row(words, platforms), *self._pushing(), work)

    def offer(self, names: tuple[str, ...]) -> None:
        """Offer images to choose from."""
        if names != self._chosen.options:
            self._chosen.options = names
        self._show_reference()

    def _pushing(self) -> tuple[Any, ...]:
        local = made.text("Local image", "its name or id", wide=True)
        tag = made.text("Tag", "such as 2026.11")
        panel = self._panel

        def push() -> None:
            source, wanted = local.value.strip(), tag.value.strip()
            panel.work_out(
                f"look which image {panel.repository}:{wanted} names",
                lambda kit: Plan(
                    f"push {source} to {panel.repository}:{wanted}",
                    self._moved(kit, wanted),
                    lambda acting: acting.push_image(source, repository=panel.repository, tag=wanted),
                ),
            )

        folder = made.text("Folder", "build context with a Dockerfile", wide=True)
        dockerfile = made.text("Dockerfile", "Dockerfile")

        def build() -> None:
            context, name = folder.value.strip(), local.value.strip()
            chosen = dockerfile.value.strip() or "Dockerfile"
            panel.act(
                f"build {name} from {context}",
                lambda kit: kit.build_image(context, name=name, dockerfile=chosen),
            )

        built = made.button("Build", "Build the local image from the folder", build)
        button = made.button("Push", f"Push to {panel.repository}", push)
        hints = (
            made.needs(built, [folder, local], made.accepted(ImageReference.parse, local)),
            made.needs(button, [local, tag], made.accepted(check_tag, tag)),
        )
        return made.row(folder, dockerfile, built), made.row(local, tag, button), *hints

    def _reference(self) -> Any:
        self._chosen.observe(self._show_reference, "value")
        return made.rows(self._chosen, self._digest_reference)

    def _show_reference(self, _: object = None) -> None:
        image = self._panel.find(self._chosen.value.strip())
        reference = self._panel.reference(image) if image is not None else ""
        self._digest_reference.value = reference
        if image is not None and not reference:
            self._panel.learn_registry()

    def _naming(self) -> Any:
        tag, chosen, panel = made.text("New tag", "such as stable"), self._chosen, self._panel

        def set_tag() -> None:
            name, wanted = chosen.value.strip(), tag.value.strip()
            panel.work_out(
                f"look which image {panel.repository}:{wanted} names",
                lambda kit: Plan(
                    f"tag {panel.repository} {name} as {wanted}",
                    self._moved(kit, wanted, unless=panel.find(name)),
                    lambda acting: acting.ecr.tag_image(panel.repository, name, wanted),
                ),
            )

        def pull() -> None:
            name = chosen.value.strip()
            panel.act(f"pull {panel.repository} {name}", lambda kit: kit.pull_image(panel.repository, name))

        tagged = made.button("Set tag", "Add a tag to the image; nothing is pulled", set_tag)
        pulled = made.button("Pull", "Pull the image to this engine", pull)
        hints = (
            made.needs(tagged, [chosen, tag], made.accepted(check_tag, tag)),
            made.needs(pulled, [chosen], self._why_not),
        )
        return made.rows(made.row(tag, tagged, pulled), *hints)

    def _deletion(self) -> Any:
        typed = made.text("To delete it, type the repository's name", wide=True)
        typed.layout.width = "520px"
        panel = self._panel

        def delete() -> None:
            image, again = panel.find(self._chosen.value.strip()), typed.value
            if image is not None:
                digests = [image.digest]
                panel.act(
                    f"delete {panel.repository} {image.digest}",
                    lambda kit: kit.ecr.delete_images(panel.repository, digests, typed_name=again),
                )

        def why_not() -> str:
            return self._why_not() if typed.value == panel.repository else f"that is not {panel.repository}"

        button = made.button("Delete", "Delete the image with all its tags", delete)
        button.button_style = "danger"
        hint = made.needs(button, [self._chosen, typed], why_not)
        return made.rows(made.row(typed, button), hint)

    def _moved(self, kit: Kit, tag: str, *, unless: Image | None = None) -> tuple[str, ...]:
        """What a plan says if a tag would move from its current image; the list may be older, or incomplete."""
        current = kit.look.image(self._panel.repository, tag)
        if current is None or (unless is not None and unless.digest == current.digest):
            return ()
        line = "the tag would move" + ("" if unless else ", unless this is the image that it names now")
        return (f"{line}: {current.digest}",)

    def _why_not(self) -> str:
        return "" if self._panel.find(self._chosen.value.strip()) else "no such image was listed; refresh"
