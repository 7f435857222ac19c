"""Where saved runs and their files are kept: bytes under names; each write names the version that it replaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ecr_widgets.ports.locks import Lease

if TYPE_CHECKING:
    from ecr_widgets.model.bucket_path import Place
    from ecr_widgets.model.stored import Stamp, Stored


class Hold(Lease, Protocol):
    """A name that this process holds; leaving its context releases it."""

    def __enter__(self) -> Hold: ...

    def __exit__(self, *_: object) -> None: ...

    def release(self) -> None:
        """Release the name, so that others can hold it."""


class RunStore(Protocol):
    """A store that other processes and hosts may read too. At any time a name has its old content or its new content."""

    @property
    def is_fenced(self) -> bool:
        """Whether only runs write here, so that a run that finds a change that it did not make was replaced by another."""

    def read(self, name: str) -> Stored | None:
        """Content and stamp of a name; None if it does not exist.

        Raises:
            OSError: It cannot be read.
        """

    def contents(self, names: Iterable[str]) -> Iterator[bytes]:
        """The content of each name, in order; names that do not exist or cannot be read are left out.

        Raises:
            OSError: The store does not answer.
        """

    def put(self, name: str, content: bytes, *, replacing: Stamp | None, final: bool = True) -> Stamp:
        """Store content durably and return its stamp.

        Args:
            replacing: The stamp of the content to replace; None if the name must not exist yet.

            final: Whether this is the last write of this name. If not, the store reserves room for one more write of it.

        Raises:
            Replaced: The name holds other content, which is kept.

            OSError: It cannot be stored, or there is no room for the next write.
        """

    def remove(self, name: str, stamp: Stamp) -> None:
        """Remove a name; no error if it does not exist.

        Raises:
            Replaced: The name holds other content, which is kept.

            OSError: It cannot be removed.
        """

    def names(self, *, after: str = "", prefix: str = "") -> Iterator[str]:
        """Names that sort after one and begin with a prefix, in order.

        Raises:
            OSError: They cannot be listed.
        """

    def hold(self, name: str) -> Hold | None:
        """Hold a name for the process that writes it; None if another process holds it.

        Raises:
            OSError: It cannot be held here.
        """

    def holder(self, name: str) -> str | None:
        """Who holds a name, for people; None if nobody does."""

    def address(self, name: str) -> Place:
        """Where a name is, for people and for other tools."""

    def close(self) -> None:
        """Free the room that is reserved for a next write."""

    def stamps(self, *, after: str = "") -> Iterator[tuple[str, Stamp]]:
        """The same as `names` without a prefix, each with its stamp.

        Raises:
            OSError: They cannot be listed.
        """

    def now(self) -> datetime:
        """The store's own time, which is the same for all who share it.

        Raises:
            OSError: The store does not say.
        """
