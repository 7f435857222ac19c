"""Saved runs as pictures: a timeline by service, a list, two runs compared. Needs nothing but the saved runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ecr_widgets.audit.compare import compare_runs
from ecr_widgets.audit.figures import ServiceFigures, figures
from ecr_widgets.audit.findings import Verification
from ecr_widgets.audit.index import open_index
from ecr_widgets.audit.keys import default_ring
from ecr_widgets.audit.one_history import one_history
from ecr_widgets.audit.overview import four_figures, grid
from ecr_widgets.audit.query import Query, parse_since
from ecr_widgets.audit.row import Row
from ecr_widgets.audit.run_files import names_in
from ecr_widgets.audit.verdict_signs import look_of, sign_of
from ecr_widgets.audit.verify import verify
from ecr_widgets.errors import InputError, RecordError
from ecr_widgets.model.bucket_path import BucketPath, Place, place_of
from ecr_widgets.model.drawing import Drawing
from ecr_widgets.model.paths import is_folder
from ecr_widgets.model.times import from_rfc3339
from ecr_widgets.panels.live import Live
from ecr_widgets.panels.offers import Action, Field
from ecr_widgets.panels.picture import MOST_ROWS, Part, Picture, matching, when
from ecr_widgets.recording.standalone_recorder import standalone_recorder

if TYPE_CHECKING:
    import pandas as pd

_OFFERED = 200
_PLOTTED = 5000
"""How many of the newest runs the plots are made from."""
_LANE = 60
"""How many of the newest runs a lane of the timeline shows."""
_COLUMNS = (
    "", "outcome", "started", "runbook", "what", "by", "why", "reason", "seconds", "run", "verdict", "seal",
)  # fmt: skip


class SavedRuns:
    """The runs below a folder or in a bucket; get one from `ecr_widgets.open_runs()`."""

    def __init__(self, folder: Place) -> None:
        self.folder = folder

    def rows(self, *, since: str = "", service: str = "", runbook: str = "", state: str = "") -> list[Row]:
        """Runs that match, newest first.

        Args:
            since: `2026-01-31`, an RFC 3339 time, or an age such as `7d`; empty for all.

            service: A service, alone or as environment/service.

            state: A verdict or a run's own state.
        """
        query = Query(
            state=state or None,
            since=parse_since(since, now=datetime.now(UTC)) if since else None,
            runbook=runbook or None,
            service=service or None,
        )
        with open_index(self.folder) as index:
            return list(index.rows(query))

    def adopted(self) -> tuple[frozenset[str], ...]:
        """All names of each service that a run adopted."""
        with open_index(self.folder) as index:
            return index.adopted()

    def timeline(self, *, since: str = "", service: str = "") -> RunsPicture:
        """One lane per service, one sign per run, oldest first."""
        rows, other_names = one_history(self.rows(since=since, service=service), self.adopted())
        lanes: dict[str, list[Row]] = {}
        for row in reversed(rows):
            for name in row.services or ("(no service)",):
                lanes.setdefault(name, []).append(row)
        now = datetime.now(UTC)
        shown = tuple(
            (
                " = ".join((name, *other_names.get(name, ()))),
                "".join(sign_of(row.verdict) for row in lane[-_LANE:]),
                str(len(lane)),
                _when(lane[-_LANE:][0], now),
                _when(lane[-1], now),
                _median_took(lane[-_LANE:]),
                lane[-1].verdict,
            )
            for name, lane in sorted(lanes.items(), key=lambda each: (each[0] == "(no service)", each[0]))
        )
        signs = {row.verdict: sign_of(row.verdict) for row in rows}
        note = ", ".join(f"{sign} {verdict}" for verdict, sign in sorted(signs.items()))
        return RunsPicture(
            Picture(
                "timeline",
                f"Runs in {self.folder.name}",
                now,
                ("service", f"the last {_LANE} runs", "runs", "from", "to", "took (median)", "verdict"),
                shown,
                note=note or "no runs",
            )
        )

    def panel(self, *, since: str = "", service: str = "", runbook: str = "", state: str = "") -> RunsPanel:
        """The runs as a list, newest first; in a live session it has a filter, and any two can be compared."""
        return RunsPanel(self, self.rows(since=since, service=service, runbook=runbook, state=state))

    def _ipython_display_(self) -> None:
        self.panel()._ipython_display_()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self.panel().saved()

    def compare(self, older: str, newer: str) -> RunsPicture:
        """The differences between two runs, each given by its id, the beginning of it, or its path."""
        with open_index(self.folder) as index:
            compared = [index.find(each) for each in (older, newer)]
        rows = tuple(
            (each.what, "–" if each.older is None else each.older, "–" if each.newer is None else each.newer)
            for each in compare_runs(self.folder, *compared)
        )
        title = f"{compared[0].run_id or compared[0].path} and {compared[1].run_id or compared[1].path}"
        return RunsPicture(
            Picture(
                "comparison",
                title,
                datetime.now(UTC),
                ("what", "older", "newer"),
                rows,
                note=f"{len(rows)} differences",
            )
        )

    def figures(self, *, since: str = "") -> pd.DataFrame:
        """Deploys per day, failure rate and time to recover, one row per service; `down_since` is UTC text."""
        import pandas as pd

        names = [each.name for each in fields(ServiceFigures)]
        return pd.DataFrame(
            [each.to_json() for each in figures(*one_history(self.rows(since=since), self.adopted()))],
            columns=names,
        )

    def to_pandas(self, *, since: str = "", service: str = "") -> pd.DataFrame:
        """One row per notebook."""
        from ecr_widgets.audit.frames import to_frame

        return to_frame(self.rows(since=since, service=service))

    def verify(self) -> RunsPicture:
        """Check every run against its seal, as a step with a record of its own.

        Raises:
            RecordError: Something was changed, is missing or was never sealed; the message names the first.
        """
        result = standalone_recorder().perform(
            "verify_seals", {"runs": str(self.folder)}, lambda _: self._checked()
        )
        killed = result["counts"].get("unsealed", 0)
        return RunsPicture(
            Picture(
                "seals",
                f"Seals in {self.folder.name}",
                datetime.now(UTC),
                ("finding", "runs"),
                tuple((name, str(count)) for name, count in sorted(result["counts"].items())),
                # Any other run without a seal has raised an error above.
                note="all in order" + (f"; {killed} killed before the end could be sealed" if killed else ""),
            )
        )

    def _checked(self) -> dict[str, Any]:
        verification = verify(self.folder, names_in(self.folder), ring=default_ring())
        wrong = _wrong(verification)
        if wrong:
            raise RecordError(
                f"{len(wrong)} of the saved runs are not in order: {wrong[0]}",
                hint="see all with `ecr-widgets audit verify`",
            )
        document = verification.to_json()
        return {name: document[name] for name in ("ok", "counts", "head")}


class RunsPicture:
    """A picture that shows itself as a cell's last expression."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture.capped()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self.picture.bundle()


class RunsPanel(Live):
    """The list, newest first; in a live session any two runs can be compared."""

    refreshes = False

    def __init__(self, runs: SavedRuns, rows: Sequence[Row]) -> None:
        super().__init__()
        self._runs = runs
        self._rows = rows
        self._opened_at = datetime.now(UTC)
        self._compared: Picture | None = None

    @cached_property
    def _plots(self) -> tuple[Drawing, ...]:
        newest = one_history(self._rows[:_PLOTTED], self._runs.adopted())
        return tuple(plot for plot in (four_figures(newest.rows), grid(*newest)) if plot is not None)

    @property
    def drawn_at(self) -> datetime:
        """When the folder was read."""
        return self._opened_at

    def draw(self, now: datetime, *, most: int = MOST_ROWS) -> Picture:
        """One row per run; below them the differences between the two that were compared."""
        rows = tuple(
            (
                *look_of(row)[:2],
                _when(row, now),
                row.runbook or "",
                row.what or ", ".join(row.services),
                row.actor or "",
                row.note,
                row.remark,
                "" if row.duration_s is None else f"{row.duration_s:.1f}",
                _named(row),
                row.verdict,
                row.seal or "",
            )
            for row in self._rows[:most]
        )
        compared = self._compared
        return Picture(
            "runs",
            f"Runs in {self._runs.folder.name}",
            now,
            _COLUMNS,
            rows,
            left_out=len(self._rows) - len(rows),
            note=f"{len(self._rows)} in all",
            parts=(
                (Part(f"{compared.title}: {compared.note}", compared.columns, compared.rows),)
                if compared is not None
                else ()
            ),
            plots=self._plots,
            key=_COLUMNS.index("run"),
        )

    def picture(self, words: str = "") -> Picture:
        """The rows that contain all the words."""
        drawn = self.draw(self.drawn_at, most=len(self._rows))
        rows = tuple(matching(words, drawn.rows))
        note = f"{len(rows)} of {drawn.count} for {words!r}" if words else drawn.note
        return replace(drawn, rows=rows, note=note).capped()

    def row_actions(self, key: str) -> Sequence[Action]:
        """Compare it with another run."""
        names = [_named(row) for row in self._rows]
        if key not in names:
            return ()
        at = names.index(key)
        ids = [row.run_id or row.path for row in self._rows]
        others = (*ids[:at], *ids[at + 1 :])

        return (
            Action(
                "compare",
                "Compare",
                "Show the differences between two runs",
                lambda values: self._compare(ids[at], values["other"]),
                (
                    Field(
                        "other",
                        "With",
                        next(iter(others[at:] or others), ""),
                        hint="a run: its id, the beginning of it, or its path",
                        options=others[:_OFFERED],
                        required=True,
                    ),
                ),
                go="Show differences",
            ),
        )

    def _compare(self, chosen: str, other: str) -> None:
        ids = [row.run_id or row.path for row in self._rows]
        # The list has the newest first; a run that is not in it can be named too, and counts as the older one.
        is_newer = other in ids and ids.index(other) < ids.index(chosen)
        self._compared = self._runs.compare(*((chosen, other) if is_newer else (other, chosen))).picture
        self.problem, self.said = "", f"{self._compared.title}: {self._compared.note}, shown below"
        self.redraw()


def open_runs(folder: str | Path | BucketPath = "runs") -> SavedRuns:
    """The saved runs below a folder, without network access, or in a bucket: `s3://bucket/prefix`.

    Raises:
        InputError: No such folder.

        SettingsError: The bucket's address is wrong.
    """
    path = place_of(folder) if isinstance(folder, str) else folder
    if isinstance(path, Path) and not is_folder(path):
        raise InputError(f"no folder {str(folder)!r}", hint="give the folder of saved runs")
    return SavedRuns(path)


def _when(row: Row, now: datetime) -> str:
    return when(from_rfc3339(row.started_at), now) if row.started_at else ""


def _named(row: Row) -> str:
    """The run's id, and the notebook's path unless it has the name that the command gives it."""
    if row.run_id and row.path == f"{row.run_id}-{row.runbook}.ipynb":
        return row.run_id
    return "\n".join(filter(None, (row.run_id, row.path)))


def _median_took(rows: Sequence[Row]) -> str:
    took_s = [row.duration_s for row in rows if row.duration_s is not None]
    return f"{median(took_s):.1f} s" if took_s else ""


def _wrong(verification: Verification) -> list[str]:
    document = verification.to_json()
    files = [f"{each.path}: {each.finding}" for each in verification.files if each.is_alarm]
    keys = [f"key {each['key']}: {each['status']}" for each in document["keys"] if not each["ok"]]
    return [*verification.chain, *files, *keys]
