"""Replays what the real `l0` command said to a real Layer0, and tells where our answers differ from the real ones.

Ids, times and versions of the recording are mapped to ours as they turn up; lists are compared without their order.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sandbox.layer0.served import Reply, Served

RECORDINGS = Path(__file__).parents[4] / "shared" / "layer0-exchanges"

_IDS = re.compile(
    r"(environment|deploy|service|task|job|load_balancer|entity|deployment|task_copy)_id|security_group_id"
)
_VOLATILE = frozenset(
    (
        "created",
        "updated",
        "time_created",
        "pending_count",
        "running_count",
        "job_status",
        "exit_code",
        "last_status",
    )
)
_LABELS = ("Content-Type", "Www-Authenticate", "Location", "Version")
_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


@dataclass(frozen=True)
class Exchange:
    """One request and its real answer."""

    command: str
    method: str
    path: str
    body: str
    headers: dict[str, str]
    status: int
    answered: dict[str, str]
    answer: str

    @property
    def call(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    @property
    def value(self) -> Any:
        """The answer as JSON, or its text."""
        return _json(self.answer)


def exchanges(recording: Path) -> Iterator[Exchange]:
    """All answered exchanges of a recording, in order."""
    for line in recording.read_text().splitlines():
        run = json.loads(line)
        for each in run["http"]:
            request, response = each["request"], each.get("response")
            if response is not None:
                yield Exchange(
                    " ".join(run["argv"]),
                    request["method"],
                    request["path"],
                    request["body"],
                    dict(request["headers"]),
                    response["status"],
                    {name.title(): value for name, value in response["headers"]},
                    response["body"],
                )


@dataclass
class Replay:
    """One recording on one server."""

    served: Served
    patience_s: float = 10.0
    """Longest wait for what is in work."""
    ours: dict[str, str] = field(default_factory=dict)
    """Our id for each id of the recording."""

    def differences(self, exchange: Exchange) -> list[str]:
        """Ask the same, and say where our answer differs; reads are repeated until what is in work has ended."""
        path, body = self._translate(exchange.path), self._translate(exchange.body)
        deadline_s = time.monotonic() + self.patience_s
        while True:
            reply = self.served.ask(exchange.method, path, body, exchange.headers)
            waits = exchange.method == "GET" and not _arrived(exchange.value, _json(reply.body))
            if not waits or time.monotonic() > deadline_s:
                break
            time.sleep(0.05)
        found = [] if not waits else ["it does not get as far as the recording"]
        return found + list(self._compare(exchange, reply))

    def _compare(self, exchange: Exchange, reply: Reply) -> Iterator[str]:
        if reply.status != exchange.status:
            yield f"status {exchange.status} became {reply.status}: {reply.body[:200]}"
            return
        job_ids = exchange.answered.get("X-Jobid"), reply.headers.get("X-Jobid")
        if job_ids[0] and job_ids[1]:
            self.ours[job_ids[0]] = job_ids[1]
        for name in _LABELS:
            wanted = self._translate(exchange.answered.get(name, "")) or None
            given = {key.title(): value for key, value in reply.headers.items()}.get(name)
            if wanted != given:
                yield f"header {name}: {wanted} became {given}"
        yield from self._differ("", exchange.value, _json(reply.body))

    def _differ(self, where: str, theirs: Any, ours: Any) -> Iterator[str]:
        key = where.rpartition("/")[2]
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for name in sorted(theirs.keys() | ours.keys()):
                if name not in ours:
                    yield f"{where}/{name} is missing"
                elif name not in theirs:
                    yield f"{where}/{name} is new"
            # Names first: ids are matched by the names next to them.
            for name in sorted(theirs.keys() & ours.keys(), key=lambda each: (each.endswith("_id"), each)):
                yield from self._differ(f"{where}/{name}", theirs[name], ours[name])
        elif isinstance(theirs, list) and isinstance(ours, list):
            if len(theirs) != len(ours):
                yield f"{where} has {len(theirs)} items, ours {len(ours)}: {_brief(theirs)} became {_brief(ours)}"
            pairs = zip(
                self._sorted(theirs, translate=True), self._sorted(ours, translate=False), strict=False
            )
            for number, (one, other) in enumerate(pairs):
                yield from self._differ(f"{where}/{number}", one, other)
        elif isinstance(theirs, str) and isinstance(ours, str):
            yield from self._differ_text(where, key, theirs, ours)
        elif type(theirs) is not type(ours):
            yield f"{where} of {type(theirs).__name__} became {type(ours).__name__}"
        elif theirs != ours and key not in _VOLATILE:
            yield f"{where} {theirs!r} became {ours!r}"

    def _differ_text(self, where: str, key: str, theirs: str, ours: str) -> Iterator[str]:
        if key == "dockerrun":
            documents = [json.loads(base64.b64decode(each)) for each in (theirs, ours)]
            yield from self._differ(where, *documents)
            return
        if (
            (_IDS.fullmatch(key) or theirs.startswith("arn:aws:ecs:"))
            and theirs not in self.ours
            and theirs
            and ours
        ):
            self.ours[theirs] = ours
        # Lines in a job's log begin with their time.
        wanted, given = (_TIME.sub("", each) for each in (self._translate(theirs), ours))
        if wanted != given and key not in _VOLATILE:
            yield f"{where} {self._translate(theirs)!r} became {ours!r}"

    def _sorted(self, items: list[Any], *, translate: bool) -> list[Any]:
        def rank(item: Any) -> str:
            text = json.dumps(item, sort_keys=True)
            named = [
                str(item[name])
                for name in ("key", "container_name", "request", "entity_type")
                if isinstance(item, dict) and name in item
            ]
            named += [
                str(value)
                for name, value in (item.items() if isinstance(item, dict) else ())
                if name.endswith("_name")
            ]
            text = "|".join(named) + "|" + text
            return self._translate(text) if translate else text

        # Log lines, command words and the like keep their order.
        return sorted(items, key=rank) if items and isinstance(items[0], dict) else items

    def _translate(self, text: str) -> str:
        for theirs in sorted(self.ours, key=len, reverse=True):
            if theirs in text:
                text = text.replace(theirs, self.ours[theirs])
        return text


def _arrived(theirs: Any, ours: Any) -> bool:
    """Whether ours has come as far as theirs: job ended, copies running."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if theirs.get("job_status") in (3, 4) and ours.get("job_status") not in (3, 4):
            return False
        if "deployments" in theirs and "deployments" in ours:
            settled = [d["running_count"] == d["desired_count"] for d in theirs["deployments"]]
            now = [d["running_count"] == d["desired_count"] for d in ours["deployments"]]
            return not all(settled) or (all(now) and len(now) == len(settled))
        return True
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) - _own_entities(ours) > len(theirs):
        return False  # what is being deleted still exists for a moment
    if isinstance(theirs, list) and isinstance(ours, list) and theirs and isinstance(theirs[0], dict):
        if "job_status" in theirs[0]:
            return all(each["job_status"] in (3, 4) for each in ours)
        if "lines" in theirs[0]:
            return [len(each["lines"]) for each in theirs] == [len(each["lines"]) for each in ours]
    return True


def _own_entities(ours: list[Any]) -> int:
    """How many of a list of environments stand from the start; no wait ends them."""
    return sum(
        each.keys() == {"environment_id", "environment_name", "operating_system"}
        and each["environment_name"] == "demo"
        for each in ours
        if isinstance(each, dict)
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _brief(value: Any) -> str:
    return json.dumps(value)[:600]
