"""The controls of the image panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecr_widgets.model.image_reference import check_tag
from ecr_widgets.panels import controls as made

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.panels.images import ImagesPanel


class ImageControls:
    """Widgets of one image panel."""

    def __init__(self, panel: ImagesPanel) -> None:
        self._panel = panel
        self._chosen = made.suggestion("Image", "a tag or a digest")
        words = made.filtering(made.text("Filter", "tag or digest"), panel.filter)
        work = made.group("Work on an image", self._reference(), self._naming(), self._deletion())
        self.widget = made.rows(words, *self._pushing(), work)

    def offer(self, names: tuple[str, ...]) -> None:
        """Offer images to choose from."""
        if names != self._chosen.options:
            self._chosen.options = names

    def _pushing(self) -> tuple[Any, ...]:
        local = made.text("Local image", "its name or id", wide=True)
        tag = made.text("Tag", "such as 2026.11")
        panel = self._panel

        def push() -> None:
            source, wanted = local.value.strip(), tag.value.strip()
            what, standing = f"push {source} to {panel.repository}:{wanted}", panel.find(wanted)

            def step(kit: Kit) -> object:
                return kit.push_image(source, repository=panel.repository, tag=wanted)

            if standing is None:
                panel.act(what, step)
            else:
                line = f"the tag would move, unless this is the image that it names now: {standing.digest}"
                panel.plan(what, (line,), step)

        button = made.button("Push", f"Push to {panel.repository}", push)
        hint = made.needs(button, [local, tag], made.accepted(check_tag, tag))
        return made.row(local, tag, button), hint

    def _reference(self) -> Any:
        reference = made.text("Reference by digest", "choose an image, then copy this", wide=True)
        reference.layout.width = "100%"

        def named(_: object) -> None:
            image = self._panel.find(self._chosen.value.strip())
            reference.value = self._panel.reference(image) if image is not None else ""

        self._chosen.observe(named, "value")
        return made.rows(self._chosen, reference)

    def _naming(self) -> Any:
        tag, chosen, panel = made.text("New tag", "such as stable"), self._chosen, self._panel

        def set_tag() -> None:
            name, wanted = chosen.value.strip(), tag.value.strip()
            panel.act(
                f"tag {panel.repository} {name} as {wanted}",
                lambda kit: kit.ecr.tag_image(panel.repository, name, wanted),
            )

        def pull() -> None:
            name = chosen.value.strip()
            panel.act(f"pull {panel.repository} {name}", lambda kit: kit.pull_image(panel.repository, name))

        tagged = made.button("Set tag", "Name the image once more; nothing is pulled", set_tag)
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

    def _why_not(self) -> str:
        return "" if self._panel.find(self._chosen.value.strip()) else "no such image was listed; refresh"
