"""The repositories of the account's registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.amounts import size
from ecr_widgets.model.image_parts import subject_of
from ecr_widgets.model.registry import Repository
from ecr_widgets.panels import repository_actions
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.offers import Action
from ecr_widgets.panels.picture import MOST_ROWS, Picture, matches, when
from ecr_widgets.panels.storage import bytes_of, shares

if TYPE_CHECKING:
    from ecr_widgets.panels.notebook_kit import NotebookKit

_CONTENT = ("images", "size", "newest push")
_SETTINGS = ("tags", "scan", "encryption", "created")
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Content:
    images: int
    size_bytes: int
    newest: datetime | None


class RepositoriesPanel(Panel):
    """All repositories by name; what is in them is filled in later.

    Filter them; create one; change settings; preview and set a lifecycle policy; delete. The one last worked on comes
    first, so that it is seen among thousands.

    Args:
        words: Only those are shown whose names have all of these.
    """

    leading = ""
    _repositories: tuple[Repository, ...] = ()
    _contents: dict[str, _Content] = {}  # noqa: RUF012 -- replaced whole, never changed

    def __init__(self, kit: NotebookKit, words: str = "") -> None:
        super().__init__(kit)
        self.words = words

    def read(self) -> Iterator[None]:
        """Read the repositories, then what is in those that are shown."""
        yield from self._read_names()
        yield from self._read_contents(self._at_the_top())

    def read_after(self) -> Iterator[None]:
        """Read the repositories, then what is in the one worked on and in new ones; the others have not changed."""
        yield from self._read_names()
        worked_on, known = self.leading, self._contents
        yield from self._read_contents(
            [name for name in self._at_the_top() if name == worked_on or name not in known]
        )

    def _read_names(self) -> Iterator[None]:
        self._repositories = tuple(sorted(self._look.repositories(), key=lambda each: each.name))
        yield

    def _at_the_top(self) -> list[str]:
        names = (each.name for each in self._ordered() if matches(self.words, (each.name,)))
        return list(islice(names, MOST_ROWS))

    def _read_contents(self, names: Sequence[str]) -> Iterator[None]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, content in zip(names, pool.map(self._content, names), strict=True):
                if content is not None:
                    self._contents = {**self._contents, name: content}
                yield

    def _content(self, name: str) -> _Content | None:
        # A repository that was deleted meanwhile shows no content, and is gone at the next read.
        with suppress(EcrWidgetsError):
            images = [image for page in self._look.images(name) for image in page]
            own = [image for image in images if subject_of(image) is None]
            newest = max((image.pushed_at for image in own), default=None)
            return _Content(len(own), bytes_of(images), newest)
        return None

    def _ordered(self) -> list[Repository]:
        return sorted(self._repositories, key=lambda each: each.name != self.leading)

    def draw(self, now: datetime, *, most: int = MOST_ROWS) -> Picture:
        """One row per repository."""
        shown = self._ordered()[:most]
        contents = self._contents
        rows = tuple(
            (
                each.name,
                each.uri,
                *(_content_cells(contents.get(each.name), now) if contents else ()),
                str(each.tag_rule),
                "on push" if each.scan_on_push else "no",
                each.encryption,
                when(each.created_at, now),
            )
            for each in shown
        )
        count = len(self._repositories)
        taken = {
            each.name: contents[each.name].size_bytes for each in self._repositories if each.name in contents
        }
        plot = shares(taken, count)
        columns = ("repository", "URI", *(_CONTENT if contents else ()), *_SETTINGS)
        return Picture(
            "repositories",
            "Repositories",
            now,
            columns,
            rows,
            left_out=count - len(shown),
            note=f"{count} in all",
            plots=() if plot is None else (plot,),
        )

    def see(self, keys: Sequence[str]) -> None:
        """Read what is in the repositories that are shown, if that is not known."""
        self.read_on(self._read_contents([name for name in keys if name not in self._contents]))

    def actions(self) -> Sequence[Action]:
        """Create a repository."""
        return repository_actions.of_panel(self)

    def row_actions(self, key: str) -> Sequence[Action]:
        """Settings, lifecycle policy, deletion."""
        repository = next((each for each in self._repositories if each.name == key), None)
        return () if repository is None else repository_actions.of_repository(self, repository)

    def knows(self, name: str) -> bool:
        """Whether a repository of that name was listed."""
        return any(each.name == name for each in self._repositories)


def _content_cells(content: _Content | None, now: datetime) -> tuple[str, str, str]:
    if content is None:
        return ("", "", "")
    return (
        str(content.images),
        size(content.size_bytes),
        when(content.newest, now) if content.newest else "",
    )
