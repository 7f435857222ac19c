"""The images of one repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecr_widgets.model.registry import Image
from ecr_widgets.panels.base import Panel, is_live
from ecr_widgets.panels.picture import Picture, matches, size, when

if TYPE_CHECKING:
    import pandas as pd

    from ecr_widgets.kit import Kit

_COLUMNS = ("tags", "digest", "size", "pushed", "last pulled")


class ImagesPanel(Panel):
    """Newest push first; filter by tag or digest, push a local image.

    In a run one page of the repository is read, in a live session all of it.
    """

    words = ""

    def __init__(self, kit: Kit, repository: str) -> None:
        super().__init__(kit)
        self.repository = repository
        self._images: list[Image] = []

    def look(self) -> Picture:
        """One row an image."""
        now = self._kit.now()
        self._images, more = [], False
        for page in self._kit.list_images(self.repository):
            if self._images and not is_live():
                more = True
                break
            self._images += page
        found = sorted(self._images, key=lambda each: each.pushed_at, reverse=True)
        rows = tuple(
            (
                ", ".join(each.tags) or "(untagged)",
                each.digest,
                size(each.size_bytes),
                when(each.pushed_at, now),
                when(each.last_pulled_at, now) if each.last_pulled_at else "",
            )
            for each in found
            if matches(self.words, (*each.tags, each.digest))
        )
        note = f"{len(rows)} of {len(found)} for {self.words!r}" if self.words else f"{len(found)} in all"
        if more:
            note = f"the first {len(found)} that ECR listed; there are more"
        return Picture("images", f"Images of {self.repository}", now, _COLUMNS, rows, note=note)

    def to_pandas(self) -> pd.DataFrame:
        """All images that were read, newest push first; sizes in bytes, times aware."""
        import pandas as pd

        found = sorted(self._images, key=lambda each: each.pushed_at, reverse=True)
        return pd.DataFrame(
            {
                "tags": [list(each.tags) for each in found],
                "digest": [each.digest for each in found],
                "size_bytes": [each.size_bytes for each in found],
                "pushed_at": [each.pushed_at for each in found],
                "last_pulled_at": [each.last_pulled_at for each in found],
            }
        )

    def controls(self) -> Any:
        """Filter; a local image and the tag to push it under."""
        import ipywidgets as widgets

        words = widgets.Text(description="Filter", placeholder="tag or digest", continuous_update=False)
        local = widgets.Text(description="Local", placeholder="name or id of a local image")
        tag = widgets.Text(description="Tag", placeholder="2026.11")
        push = widgets.Button(description="Push", tooltip=f"Push to {self.repository}")
        refresh = widgets.Button(description="Refresh", tooltip="Look again")
        self._hint = hint = widgets.Label()

        def filter_by(change: dict[str, Any]) -> None:
            self.words = change["new"]
            self.show()

        def send(_: object) -> None:
            source, wanted = local.value, tag.value
            self.act(
                f"pushing {source} to {self.repository}:{wanted}",
                lambda: self._kit.push_image(source, repository=self.repository, tag=wanted),
            )

        words.observe(filter_by, "value")
        push.on_click(send)
        refresh.on_click(lambda _: self.act("looking", lambda: None))
        return widgets.VBox([widgets.HBox([words, refresh]), widgets.HBox([local, tag, push]), hint])

    def _set_busy(self, text: str) -> None:
        self._hint.value = text
