"""The repositories of the account's registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from ecr_widgets.errors import EcrWidgetsError
from ecr_widgets.model.registry import Repository
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.picture import MOST_ROWS, Picture, matches, size, when

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit

_CONTENT = ("images", "size", "newest push")
_SETTINGS = ("tags", "scan", "encryption", "created")
_AT_ONCE = 8
_OFFERED = 1000


@dataclass(frozen=True, slots=True)
class _Content:
    images: int
    size_bytes: int
    newest: datetime | None


class RepositoriesPanel(Panel):
    """All repositories by name; what is in them is filled in by and by.

    Filter them; create one; change settings; preview and set a lifecycle policy; delete. The one that was worked on
    last leads, so that it is seen among thousands.

    Args:
        words: Shows those whose names have all of them.
    """

    leading = ""
    _repositories: tuple[Repository, ...] = ()
    _contents: dict[str, _Content] = {}  # noqa: RUF012 -- replaced whole, never changed

    def __init__(self, kit: Kit, words: str = "") -> None:
        super().__init__(kit)
        self.words = words

    def read(self) -> Iterator[None]:
        """The repositories, then what is in those that are shown."""
        yield from self._read_names()
        yield from self._read_contents(lambda _: True)

    def read_after(self) -> Iterator[None]:
        """The repositories, then what is in the one that was worked on; the others are as they were."""
        yield from self._read_names()
        worked_on, known = self.leading, self._contents
        yield from self._read_contents(lambda name: name == worked_on or name not in known)

    def _read_names(self) -> Iterator[None]:
        self._repositories = tuple(sorted(self._look.repositories(), key=lambda each: each.name))
        yield

    def _read_contents(self, is_wanted: Callable[[str], bool]) -> Iterator[None]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            shown = [
                each.name
                for each in islice(self._found(), self.first_row, self.first_row + MOST_ROWS)
                if is_wanted(each.name)
            ]
            for name, content in zip(shown, pool.map(self._content, shown), strict=True):
                if content is not None:
                    self._contents = {**self._contents, name: content}
                yield

    def _content(self, name: str) -> _Content | None:
        # One that was deleted meanwhile shows no content, and is gone at the next look.
        with suppress(EcrWidgetsError):
            images = [image for page in self._look.images(name) for image in page]
            newest = max((image.pushed_at for image in images), default=None)
            return _Content(len(images), sum(image.size_bytes or 0 for image in images), newest)
        return None

    def _found(self) -> Iterator[Repository]:
        found = (each for each in self._repositories if matches(self.words, (each.name,)))
        return iter(sorted(found, key=lambda each: each.name != self.leading))

    def draw(self, now: datetime) -> Picture:
        """One row a repository."""
        matching = list(self._found())
        first = self.first_row if self.first_row < len(matching) else 0
        shown = matching[first : first + MOST_ROWS]
        contents = self._contents
        rows = tuple(
            (
                each.name,
                each.uri,
                *(_told(contents.get(each.name), now) if contents else ()),
                str(each.tag_rule),
                "on push" if each.scan_on_push else "no",
                each.encryption,
                when(each.created_at, now),
            )
            for each in shown
        )
        count = len(self._repositories)
        note = f"{len(matching)} of {count} for {self.words!r}" if self.words else f"{count} in all"
        columns = ("repository", "URI", *(_CONTENT if contents else ()), *_SETTINGS)
        left_out = len(matching) - len(shown)
        return Picture(
            "repositories",
            "Repositories",
            now,
            columns,
            rows,
            left_out=left_out,
            skipped=first,
            note=note,
        )

    def filter(self, words: str) -> None:
        """Show those whose names have all the words; nothing is read again."""
        self.words = words
        self.turn_to(0)

    def read_shown(self) -> Iterator[None]:
        """What is in the repositories that are shown, where that is not known."""
        known = self._contents
        return self._read_contents(lambda name: name not in known)

    def controls(self) -> Any:
        """Filter; a new repository; work on an existing one."""
        from ecr_widgets.panels.repository_controls import RepositoryControls

        self._own = RepositoryControls(self)
        return self._own.widget

    def update_controls(self) -> None:
        """Offer the existing repositories."""
        self._own.offer(tuple(each.name for each in self._repositories[:_OFFERED]))

    def uri(self, name: str) -> str:
        """What references to images of that repository start with; empty where none of that name was listed."""
        return next((each.uri for each in self._repositories if each.name == name), "")

    def knows(self, name: str) -> bool:
        """Whether a repository of that name was listed."""
        return any(each.name == name for each in self._repositories)


def _told(content: _Content | None, now: datetime) -> tuple[str, str, str]:
    if content is None:
        return ("", "", "")
    return (
        str(content.images),
        size(content.size_bytes),
        when(content.newest, now) if content.newest else "",
    )
