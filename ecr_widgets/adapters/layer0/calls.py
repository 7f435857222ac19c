"""What all calls share: entities by id, changes, jobs, and names, which are resolved here because the server does not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from ecr_widgets.adapters.layer0 import decode
from ecr_widgets.adapters.layer0.transport import Answer, Transport
from ecr_widgets.errors import EntityNotFound, InputError, Layer0Error, Layer0Unavailable, OutcomeUnknown
from ecr_widgets.model.services import ContainerLog
from ecr_widgets.settings import Layer0Settings

_NOT_FOUND_TO_V0_10_2 = frozenset((4, 6, 8, 10, 12, 14))
"""Codes of an invalid id. Servers up to v0.10.2 have no code for what does not exist, and answer a GET of it with these."""


class Calls:
    """Base class of the groups of calls."""

    def __init__(self, settings: Layer0Settings) -> None:
        self._settings = settings
        self._transport = Transport(settings)

    def _entity(self, path: str, entity_id: str, id_name: str) -> decode.Wire:
        try:
            return decode.entity(self._transport.read(path + segment(entity_id)).value, id_name)
        except Layer0Error as error:
            if isinstance(error, EntityNotFound) or error.code not in _NOT_FOUND_TO_V0_10_2:
                raise
            raise EntityNotFound(error.message, status=error.status, code=error.code) from error

    def _changed(
        self, method: str, path: str, body: Mapping[str, Any], id_name: str, *, timeout_s: float = 120.0
    ) -> decode.Wire:
        value = self._transport.change(method, path, body, timeout_s=timeout_s).value
        try:
            return decode.entity(value, id_name)
        except Layer0Unavailable as error:
            # The call succeeded, but the reply does not say what it did.
            raise OutcomeUnknown(
                f"{error.message} to {method} {path}", hint="check whether it was done before you ask again"
            ) from error

    def _tagged(self, kind: str) -> dict[str, dict[str, str]]:
        """Tags of all entities of a kind, by entity id."""
        answer = self._transport.read("/tag", {"type": kind})
        return {str(raw.get("entity_id", "")): decode.tags(raw) for raw in decode.objects(answer.value)}

    def _named(self, kind: str, name: str, **more: str) -> dict[str, dict[str, str]]:
        """Tags of all entities whose name or id is exactly this, by entity id; empty if the server knows none."""
        try:
            answer = self._transport.read("/tag", {**more, "fuzz": name, "type": kind})
        except EntityNotFound:
            return {}
        entities = {str(raw.get("entity_id", "")): decode.tags(raw) for raw in decode.objects(answer.value)}
        return {each: tags for each, tags in entities.items() if name in (each, tags.get("name"))}

    @staticmethod
    def _only(found: Mapping[str, object], kind: str, name: str) -> str | None:
        """Id of the only entity found, or None; an id takes precedence over a name.

        Raises:
            Layer0Error: Several have the name.
        """
        if name in found:
            return name
        if len(found) > 1:
            raise Layer0Error(f"{len(found)} {kind}s are called {name!r}", hint="use the id")
        return next(iter(found), None)

    def _job(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> str:
        """Request a change that a job carries out, and return the job's id."""
        return self._job_id(self._transport.change(method, path, body), f"{method} {path}")

    def _logs(
        self, path: str, tail: int, start: datetime | None, end: datetime | None
    ) -> tuple[ContainerLog, ...]:
        query = {"tail": str(tail)} if tail else {}
        for name, at in (("start", start), ("end", end)):
            if at is not None:
                # Layer0 knows whole minutes: a minute that has begun belongs to the window at both ends.
                later = timedelta(minutes=1) if name == "end" and at.second + at.microsecond else timedelta()
                query[name] = (at.astimezone(UTC) + later).strftime("%Y-%m-%d %H:%M")
        return decode.logs(self._transport.read(path, query).value)

    @staticmethod
    def _job_id(answer: Answer, what: str) -> str:
        headers = {key.lower(): value for key, value in answer.headers.items()}
        job_id = headers.get("x-jobid") or headers.get("location", "").rpartition("/")[2]
        if not job_id:
            raise OutcomeUnknown(
                f"Layer0 accepted {what}, but named no job", hint="check whether it was done"
            )
        return job_id


def segment(entity_id: str) -> str:
    """An id as one segment of a path.

    Raises:
        InputError: The id is empty, so that the path would be that of the list.
    """
    if not entity_id:
        raise InputError("the id is empty", hint="give the id")
    return quote(entity_id, safe="")
