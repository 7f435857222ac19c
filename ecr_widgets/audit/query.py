"""What to list: the filters that all audit commands share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ecr_widgets.audit.scan import shown_name
from ecr_widgets.errors import InputError
from ecr_widgets.model.times import from_rfc3339, to_rfc3339

_AGO = re.compile(r"(\d{1,6})([hdw])")
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")
_HOURS = {"h": 1, "d": 24, "w": 168}
_SERVICE_IN_ONE = "name = :service"
_SERVICE_ANYWHERE = "name = :service OR name LIKE :any ESCAPE '\\'"
_OF_SERVICE = """number IN (
  WITH RECURSIVE services(name) AS (
    SELECT min(name) FROM touched WHERE kind = 'service'
    UNION ALL
    SELECT (SELECT min(name) FROM touched WHERE kind = 'service' AND name > services.name)
    FROM services WHERE name IS NOT NULL
  ), named(name) AS (
    SELECT name FROM services WHERE {named}
  ), alike(name) AS (
    SELECT name FROM named UNION SELECT name FROM touched WHERE kind = 'adopted' AND number IN (
      SELECT number FROM touched WHERE kind = 'adopted' AND name IN (SELECT name FROM named)
    )
  )
  SELECT number FROM touched WHERE kind = 'service' AND name IN (SELECT name FROM alike) {newest}
)"""
"""Runs of a service under all names that it was adopted from or as. Skips from one distinct name to the next: there are few."""
_NEWEST = "GROUP BY number ORDER BY max(started_at) DESC LIMIT :newest"
"""Limits these runs before their rows are read: one service may have a large share of a million runs."""


@dataclass(frozen=True, slots=True)
class Query:
    """Filters; None means any."""

    state: str | None = None
    """A verdict (`proven`, `tampered`, …), a run's own state (`succeeded`, …) or what its seal says (`unsealed`, …)."""
    since: datetime | None = None
    """Runs that started at this time or later."""
    runbook: str | None = None
    digest: str | None = None
    """A digest or its beginning, with or without `sha256:`."""
    service: str | None = None
    """A service, alone or as environment/service."""

    newest: int | None = None
    """At most this many runs, those that started last."""

    def to_sql(self) -> tuple[str, dict[str, Any]]:
        """Return a WHERE clause for the index, and its values."""
        clauses, values = [], {}
        if self.state is not None:
            clauses.append("(verdict = :state OR state = :state OR seal = :state)")
            values["state"] = self.state
        if self.since is not None:
            clauses.append("started_at >= :since")
            values["since"] = to_rfc3339(self.since)
        if self.runbook is not None:
            clauses.append("runbook = :runbook")
            values["runbook"] = self.runbook
        if self.digest is not None:
            clauses.append(
                "number IN (SELECT number FROM touched WHERE kind = 'digest' AND name >= :digest AND name < :digest_end)"
            )
            values["digest"] = f"sha256:{self.digest.removeprefix('sha256:')}"
            values["digest_end"] = values["digest"] + "g"
        if self.service is not None:
            named = _SERVICE_IN_ONE if "/" in self.service else _SERVICE_ANYWHERE
            is_all = self.state is None and self.runbook is None and self.digest is None
            newest = _NEWEST if is_all and self.newest is not None else ""
            clauses.append(_OF_SERVICE.format(named=named, newest=newest))
            values["service"] = self.service
            if "/" not in self.service:
                plain = self.service.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
                values["any"] = f"%/{plain}"
        where = ("WHERE " + " AND ".join(clauses)) if clauses else ""
        # The index holds names that are not UTF-8 in this form, and can only be queried for them like this.
        return where, {name: shown_name(value) for name, value in values.items()}


def parse_digest(text: str) -> str:
    """Return a digest or its beginning from what people paste: `sha256:…`, the hex digits alone, `REPOSITORY@sha256:…`.

    Raises:
        InputError: Not one of these.
    """
    match = _DIGEST.fullmatch(text.rpartition("@")[2].lower())
    if match is None:
        raise InputError(
            f"{text!r} is not a digest", hint="give sha256: and hex digits, or the first of them"
        )
    return f"sha256:{match[1]}"


def parse_since(text: str, *, now: datetime) -> datetime:
    """Parse a time that a user gave: `2026-01-31`, RFC 3339, or an age such as `12h`, `7d`, `2w`.

    Raises:
        InputError: Not one of these.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
        if len(text) == 10:
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return from_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{text!r} is not a time", hint="give 2026-01-31, 2026-01-31T12:00:00Z, 12h, 7d or 2w"
        ) from error
