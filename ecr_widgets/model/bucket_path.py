"""Where runs are saved: a folder on this machine, or a prefix in an S3 bucket."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Self

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.paths import path_of

_SCHEME = "s3://"
_ANY_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)
"""How an address begins that is meant for another kind of store."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


class BucketPath(PurePosixPath):
    """A place in a bucket, shown as `s3://bucket/prefix/name`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an address.

        Raises:
            SettingsError: Not `s3://`, a bucket name and an optional prefix.
        """
        bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
        parts = [part for part in prefix.split("/") if part]
        if not text.startswith(_SCHEME) or not _BUCKET.fullmatch(bucket) or {".", ".."} & set(parts):
            raise SettingsError(
                f"{text!r} is not the address of a bucket", hint="give s3://BUCKET or s3://BUCKET/PREFIX"
            )
        return cls(_SCHEME, bucket, *parts)

    @property
    def bucket(self) -> str:
        return self.parts[1]

    @property
    def key(self) -> str:
        """What follows the bucket name, without a slash at either end."""
        return "/".join(self.parts[2:])

    def absolute(self) -> Self:
        """Return the path unchanged: it is always absolute."""
        return self

    def __str__(self) -> str:
        return _SCHEME + "/".join(self.parts[1:])


Place = Path | BucketPath
"""Where saved runs are, or one of them."""


def is_bucket(text: str) -> bool:
    """Whether the text is a bucket address."""
    return text.startswith(_SCHEME)


def place_of(text: str) -> Place:
    """Parse a folder's path or a bucket address.

    Raises:
        SettingsError: It begins like an address but is not a bucket's, or the home folder in it is not known.
    """
    return BucketPath.parse(text) if _ANY_SCHEME.match(text) else path_of(text)
