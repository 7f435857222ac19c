"""Where saved runs and what belongs to them lie: bytes under names, each written against what was read before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports.locks import Lease

if TYPE_CHECKING:
    from ecr_widgets.model.bucket_path import Place
    from ecr_widgets.model.stored import Stamp, Stored


class Hold(Lease, Protocol):
    """A name that this process holds; its context ends with the release."""

    def __enter__(self) -> Hold: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def release(self) -> None:
        """Let others have it."""
        ...


class RunStore(Protocol):
    """A store that readers of other processes and hosts may share. Each name has its old or its new content at any time."""

    @property
    def is_fenced(self) -> bool:
        """Whether only runs write here, so that whoever finds something else than they wrote was replaced by another run."""
        ...

    def read(self, name: str) -> Stored | None:
        """What is under a name; None where there is nothing.

        Raises:
            OSError: It cannot be read.
        """
        ...

    def contents(self, names: Iterable[str]) -> Iterator[bytes]:
        """What is under each of some names, in order; what is gone or cannot be read is left out.

        Raises:
            OSError: The store does not answer.
        """
        ...

    def put(self, name: str, content: bytes, *, replacing: Stamp | None, final: bool = True) -> Stamp:
        """Store content that is durable when this returns, and give back its stamp.

        Args:
            replacing: The stamp of what must be under the name; None where there must be nothing.

            final: Whether nothing follows under this name. Else the store has room for it once more, whatever others store.

        Raises:
            Replaced: Something else is there; it stays.

            OSError: It cannot be stored, or there would be no room for the next time; what was there stays.
        """
        ...

    def remove(self, name: str, stamp: Stamp) -> None:
        """Remove what is under a name; nothing happens where that is gone already.

        Raises:
            Replaced: Something else is there; it stays.

            OSError: It cannot be removed.
        """
        ...

    def names(self, *, after: str = "", prefix: str = "") -> Iterator[str]:
        """Names that sort behind one and begin with a prefix, in order.

        Raises:
            OSError: They cannot be listed.
        """
        ...

    def hold(self, name: str) -> Hold | None:
        """Hold a name for the process that writes it; None where another holds it.

        Raises:
            OSError: It cannot be held here.
        """
        ...

    def holder(self, name: str) -> str | None:
        """Who holds a name, for people; None where nobody does."""
        ...

    def address(self, name: str) -> Place:
        """Where a name is, for people and for other tools."""
        ...

    def close(self) -> None:
        """Give back the room that is kept for a next write."""
        ...

    def stamps(self, *, after: str = "") -> Iterator[tuple[str, Stamp]]:
        """The same as `names` without a prefix, each with its stamp.

        Raises:
            OSError: They cannot be listed.
        """
        ...

    def now(self) -> datetime:
        """The store's own time, by which its stamps and those of all who share it are made.

        Raises:
            OSError: It does not say.
        """
        ...
