"""The repositories of the account's registry."""

from __future__ import annotations

from typing import Any

from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.picture import Picture, matches, when

_COLUMNS = ("repository", "URI", "created", "tags", "scan on push", "encryption")


class RepositoriesPanel(Panel):
    """All repositories by name; filter them, create one."""

    words = ""

    def look(self) -> Picture:
        """One row a repository."""
        now = self._kit.now()
        found = sorted(self._kit.list_repositories(), key=lambda each: each.name)
        rows = tuple(
            (
                each.name,
                each.uri,
                when(each.created_at, now),
                "immutable" if each.tags_immutable else "can move",
                "yes" if each.scan_on_push else "no",
                each.encryption,
            )
            for each in found
            if matches(self.words, (each.name,))
        )
        note = f"{len(rows)} of {len(found)} for {self.words!r}" if self.words else f"{len(found)} in all"
        return Picture("repositories", "Repositories", now, _COLUMNS, rows, note=note)

    def controls(self) -> Any:
        """Filter; name and settings of a new repository, its name checked while it is typed."""
        import ipywidgets as widgets

        words = widgets.Text(description="Filter", placeholder="part of a name", continuous_update=False)
        name = widgets.Text(description="New", placeholder="team/project", continuous_update=True)
        immutable = widgets.Checkbox(description="tags can never move", indent=False)
        scan = widgets.Checkbox(value=True, description="scan on push", indent=False)
        create = widgets.Button(description="Create", disabled=True, tooltip="Create the repository")
        refresh = widgets.Button(description="Refresh", tooltip="Look again")
        self._hint = hint = widgets.Label()

        def filter_by(change: dict[str, Any]) -> None:
            self.words = change["new"]
            self.show()

        def check(change: dict[str, Any]) -> None:
            problem = ""
            try:
                check_repository_name(change["new"])
            except InvalidReference as error:
                problem = str(error) if change["new"] else ""
            create.disabled = bool(problem) or not change["new"]
            hint.value = problem

        def make(_: object) -> None:
            wanted = name.value
            self.act(
                f"creating {wanted}",
                lambda: self._kit.create_repository(
                    wanted, tags_immutable=immutable.value, scan_on_push=scan.value
                ),
            )

        words.observe(filter_by, "value")
        name.observe(check, "value")
        create.on_click(make)
        refresh.on_click(lambda _: self.act("looking", lambda: None))
        return widgets.VBox(
            [widgets.HBox([words, refresh]), widgets.HBox([name, immutable, scan, create]), hint]
        )

    def _set_busy(self, text: str) -> None:
        self._hint.value = text
