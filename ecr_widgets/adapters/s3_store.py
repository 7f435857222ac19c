"""Saved runs in an S3 bucket: an object is replaced only if it has not changed since it was read."""

from __future__ import annotations

import base64
import errno
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, Self, TypeVar, cast

from botocore import exceptions as aws
from botocore.config import Config
from botocore.parsers import ResponseParserError

from ecr_widgets.adapters.aws_calls import NO_ANSWER, is_throttled, wrong_clock
from ecr_widgets.adapters.aws_session import AwsSession
from ecr_widgets.adapters.clock import SystemClock
from ecr_widgets.errors import EcrWidgetsError, Replaced, SettingsError
from ecr_widgets.model.bucket_path import BucketPath
from ecr_widgets.model.stored import Stamp, Stored
from ecr_widgets.ports import Clock

T = TypeVar("T")

_NONCE = "ecr-widgets-nonce"
_READ_PATIENCE_S = 20.0
_WRITE_PATIENCE_S = 90.0
"""How long a write without an answer is retried: a store that is down for a minute must not end a run."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_AT_ONCE = 16
_TYPES = {"ipynb": "application/x-ipynb+json", "parquet": "application/vnd.apache.parquet"}
_GONE = frozenset(("404", "NoSuchKey", "NotFound"))
_LOST_RACE = frozenset(("412", "PreconditionFailed"))
_CONFLICT = frozenset(("409", "ConditionalRequestConflict", "OperationAborted"))
_OWN = Config(
    # Some stores refuse boto3's default checksums; this module sends SHA-256 itself.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    # Retries are made here, because only this module knows what a second answer to one request means.
    retries={"mode": "standard", "total_max_attempts": 1},
    read_timeout=15,
    max_pool_connections=_AT_ONCE,
)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long S3's Object Lock protects final content."""

    mode: str
    days: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a setting such as `compliance 365`.

        Raises:
            SettingsError: The text has another form.
        """
        mode, _, days = text.strip().upper().partition(" ")
        if mode not in ("GOVERNANCE", "COMPLIANCE") or not days.strip().isdecimal() or int(days) < 1:
            raise SettingsError(
                f"the retention {text!r} cannot be used",
                hint="give `governance` or `compliance` and a number of days, such as `compliance 365`",
            )
        return cls(mode, int(days))


class Aged(NamedTuple):
    """An object's content, and its age by the store's own clock."""

    content: bytes
    stamp: Stamp
    age_s: float | None
    """In seconds; None if the store does not say."""


class S3Store:
    """Implements `ports.run_store.RunStore`. A stamp is an ETag.

    Args:
        place: The bucket, and the prefix of all names.

        retention: How long final content is protected from removal; the bucket must have Object Lock enabled.

        client: A boto3 client; by default one from the environment's settings.
    """

    def __init__(
        self,
        place: BucketPath,
        *,
        retention: Retention | None = None,
        clock: Clock | None = None,
        client: Any = None,
    ) -> None:
        self.place = place
        self._retention = retention
        self._clock = clock or SystemClock()
        self._given = client
        self._making = threading.Lock()

    def read(self, name: str) -> Stored | None:
        aged = self.read_aged(name)
        return None if aged is None else Stored(aged.content, aged.stamp)

    def read_aged(self, name: str, *, patience_s: float = _READ_PATIENCE_S) -> Aged | None:
        """Read an object with its age; None if it does not exist."""

        def get() -> Aged | None:
            try:
                reply = self._client.get_object(**self._at(name))
            except aws.ClientError as error:
                if _code(error) in _GONE:
                    return None
                raise
            headers = reply["ResponseMetadata"]["HTTPHeaders"]
            age_s = None
            if "date" in headers:
                age_s = (parsedate_to_datetime(headers["date"]) - reply["LastModified"]).total_seconds()
            return Aged(reply["Body"].read(), reply["ETag"], age_s)

        return self._trying(f"read {name!r}", get, patience_s)

    def contents(self, names: Iterable[str]) -> Iterator[bytes]:
        # A few at a time, in order, since the caller may stop early.
        left = iter(names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while some := list(islice(left, 2 * _AT_ONCE)):
                for stored in pool.map(self.read, some):
                    if stored is not None:
                        yield stored.content

    def put(
        self,
        name: str,
        content: bytes,
        *,
        replacing: Stamp | None,
        final: bool = True,
        patience_s: float = _WRITE_PATIENCE_S,
    ) -> Stamp:
        nonce = secrets.token_hex(16)
        arguments: dict[str, Any] = {"IfNoneMatch": "*"} if replacing is None else {"IfMatch": replacing}
        arguments["ChecksumSHA256"] = base64.b64encode(hashlib.sha256(content).digest()).decode()
        arguments["ContentType"] = _TYPES.get(name.rpartition(".")[2], "application/json")
        if final and self._retention is not None:
            until = self._now_here() + timedelta(days=self._retention.days)
            arguments |= {"ObjectLockMode": self._retention.mode, "ObjectLockRetainUntilDate": until}
            # With Object Lock S3 insists on a header that names the algorithm; the checksum's own header is not enough.
            arguments["ChecksumAlgorithm"] = "SHA256"

        def put() -> Stamp:
            try:
                reply = self._client.put_object(
                    **self._at(name), Body=content, Metadata={_NONCE: nonce}, **arguments
                )
            except aws.ClientError as error:
                if _code(error) in _LOST_RACE | (_GONE if replacing is not None else frozenset()):
                    return self._own(name, nonce)
                raise
            return cast("str", reply["ETag"])

        return self._trying(f"store {name!r}", put, patience_s)

    def _own(self, name: str, nonce: str) -> Stamp:
        """The object's stamp, if this put has stored it and only the answer was lost.

        Raises:
            Replaced: The object is somebody else's, or does not exist.
        """
        there = self._head(name)
        if there is None or there.get("Metadata", {}).get(_NONCE) != nonce:
            raise Replaced(f"{self.address(name)} was changed by somebody else")
        return cast("str", there["ETag"])

    def remove(self, name: str, stamp: Stamp) -> None:
        def delete() -> None:
            try:
                self._client.delete_object(**self._at(name), IfMatch=stamp)
            except aws.ClientError as error:
                if _code(error) in _LOST_RACE and self._head(name) is not None:
                    raise Replaced(f"{self.address(name)} was changed by somebody else") from error
                if _code(error) not in _LOST_RACE | _GONE:
                    raise

        self._trying(f"remove {name!r}", delete, _WRITE_PATIENCE_S)

    def names(self, *, after: str = "", prefix: str = "") -> Iterator[str]:
        """Names of runs, or of other objects if the prefix contains a slash."""
        yield from (name for name, _ in self._listed(after, prefix))

    def stamps(self, *, after: str = "") -> Iterator[tuple[str, Stamp]]:
        yield from self._listed(after, "")

    def _listed(self, after: str, prefix: str) -> Iterator[tuple[str, Stamp]]:
        root = self._key("")
        arguments: dict[str, Any] = {"Bucket": self.place.bucket, "Prefix": root + prefix}
        arguments |= {"StartAfter": root + after} if after else {}
        arguments |= {} if "/" in prefix else {"Delimiter": "/"}
        while True:
            page = self._trying(
                "list the runs", lambda: self._client.list_objects_v2(**arguments), _READ_PATIENCE_S
            )
            yield from ((each["Key"].removeprefix(root), each["ETag"]) for each in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    def now(self) -> datetime:
        reply = self._trying(
            "ask the time", lambda: self._client.head_bucket(Bucket=self.place.bucket), _READ_PATIENCE_S
        )
        try:
            return parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"])
        except (KeyError, ValueError) as error:
            raise OSError(errno.EIO, f"{self.place} does not say what time it is") from error

    def address(self, name: str) -> BucketPath:
        """Where a name is, for people and for other tools."""
        return self.place / _layout(name)

    def _now_here(self) -> datetime:
        with suppress(OSError):
            return self.now()
        return datetime.now(UTC)

    def _head(self, name: str) -> dict[str, Any] | None:
        try:
            return cast("dict[str, Any]", self._client.head_object(**self._at(name)))
        except aws.ClientError as error:
            if _code(error) in _GONE:
                return None
            raise

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self.place.bucket, "Key": self._key(_layout(name))}

    def _key(self, name: str) -> str:
        return f"{self.place.key}/{name}" if self.place.key else name

    @cached_property
    def _made(self) -> Any:
        return AwsSession(None, profile=None, region=None, on_secret=lambda _: None).client("s3", own=_OWN)

    @property
    def _client(self) -> Any:
        if self._given is not None:
            return self._given
        with self._making:
            return self._made

    def _trying(self, doing: str, call: Callable[[], T], patience_s: float) -> T:
        """Call, and repeat while a failure may be temporary and `patience_s` is not over.

        Raises:
            OSError: The store refuses, or gives no answer in that time.
        """
        pause_s, deadline_s = _FIRST_PAUSE_S, self._clock.monotonic_s() + patience_s
        while True:
            try:
                return call()
            except aws.ClientError as error:
                failure: Exception = error
                may_pass = (
                    is_throttled(error) or _code(error) in _CONFLICT | {"SlowDown"} or _status(error) >= 500
                )
            except (*NO_ANSWER, aws.ResponseStreamingError, ResponseParserError) as error:
                failure, may_pass = error, True
            except EcrWidgetsError as error:
                if isinstance(error, Replaced):
                    raise
                failure, may_pass = error, False
            except aws.BotoCoreError as error:
                failure, may_pass = error, False
            if not may_pass or self._clock.monotonic_s() + pause_s > deadline_s:
                raise self._failed(doing, failure) from failure
            # Jitter, so that clients do not all come back at the same moment.
            self._clock.sleep(pause_s * (0.5 + secrets.randbelow(1000) / 1000))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _failed(self, doing: str, error: Exception) -> OSError:
        if isinstance(error, aws.ClientError):
            details: Any = error.response.get("Error", {})
            why = f"{_code(error)} {details.get('Message', '')}".strip()
            if wrong := wrong_clock(error):
                why += f" ({wrong})"
            number = errno.EACCES if _status(error) == 403 else errno.EIO
        else:
            why, number = " ".join(str(error).split()), errno.EIO
        return OSError(number, f"{self.place} did not {doing}: {why}")


def _layout(name: str) -> str:
    """The key of a name: a hidden file in a folder is a key with a prefix in a bucket, which bucket policies can name."""
    if name.startswith(".") and name.endswith(".approved"):
        return f"approvals/{name[1:].removesuffix('.approved')}.json"
    return name


def _code(error: aws.ClientError) -> str:
    details: Any = error.response.get("Error", {})
    return str(details.get("Code", ""))


def _status(error: aws.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
