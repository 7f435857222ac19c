"""A service: what runs, what is proposed, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecr_widgets.errors import TargetBusy
from ecr_widgets.model.layer0 import Service
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.panels.base import Panel, Plan
from ecr_widgets.panels.picture import Part, Picture, sparkline, when
from ecr_widgets.steps.service_view import ServiceView

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit

_COLUMNS = ("deploy", "status", "image", "running", "pending", "since")
_MOST_COUNTS = 60
_MOST_LINES = 8
_MOST_OTHERS = 20


class DeploysPanel(Panel):
    """What a service runs, how it got there and what its containers say.

    Deploy an image, go back to an earlier deploy, scale, run a task: each shown as a plan first, and confirmed by a button
    that names the target.
    """

    follows = True
    _view: ServiceView | None = None
    _counts: tuple[tuple[datetime, int, int], ...] = ()

    def __init__(self, kit: Kit, environment: str, service: str) -> None:
        super().__init__(kit)
        self.environment = environment
        self.service = service

    @property
    def target(self) -> str:
        """What actions name."""
        return f"{self.environment}/{self.service}"

    @property
    def view(self) -> ServiceView | None:
        """What was seen last."""
        return self._view

    def read(self) -> Iterator[None]:
        """One look, and one count more."""
        view = self._look.service(self.environment, self.service)
        service = view.service
        if service is not None:
            seen = (self._kit.now(), service.running_count, service.desired_count)
            self._counts = (*self._counts, seen)[-_MOST_COUNTS:]
        self._view = view
        yield

    def draw(self, now: datetime) -> Picture:
        """One row a deployment; counts, reasons, earlier deploys and log lines below."""
        title, view = f"Service {self.target}", self._view
        if view is None or view.service is None:
            note = "" if view is None else "not there yet: a first deploy creates it"
            return Picture("deploys", title, now, (), (), note=note)
        service = view.service
        rows = tuple(
            (
                each.deploy_id,
                each.status.lower(),
                "\n".join(view.images.get(each.deploy_id, ())) or "not known",
                f"{each.running_count} of {each.desired_count}",
                str(each.pending_count),
                when(each.created_at, now),
            )
            for each in service.deployments
        )
        note = f"{service.running_count} of {service.desired_count} copies run"
        return Picture("deploys", title, now, _COLUMNS, rows, note=note, parts=self._parts(view, service))

    def _parts(self, view: ServiceView, service: Service) -> tuple[Part, ...]:
        reasons = tuple(
            (each.deploy_id, reason)
            for each in service.deployments
            for reason in each.stopped_reasons[-_MOST_LINES:]
        )
        events = tuple(
            (each.deploy_id, event) for each in service.deployments for event in each.events[:_MOST_LINES]
        )
        others = [each.deploy_id for each in view.stored if each.deploy_id != view.deploy_id]
        more = f", and {len(others) - _MOST_OTHERS} more" if len(others) > _MOST_OTHERS else ""
        stored = f"{', '.join(others[:_MOST_OTHERS])}{more}"
        parts = (
            Part("Copies that run, over time", (), self._plot()),
            Part("Why containers stopped", ("deploy", "reason"), reasons),
            Part("Events", ("deploy", "event"), events),
            Part("Other stored deploys, by name, newest first", (), ((stored,),) if stored else ()),
            Part("Last log lines", (), tuple((line,) for line in view.log)),
        )
        return tuple(part for part in parts if part.rows)

    def _plot(self) -> tuple[tuple[str, ...], ...]:
        counts = self._counts
        if len(counts) < 2:
            return ()
        most = max(max(running, desired) for _, running, desired in counts)
        first, last = (to_rfc3339(each[0])[11:19] for each in (counts[0], counts[-1]))
        told = f"{counts[0][1]} → {counts[-1][1]}, {counts[-1][2]} wanted; {first} to {last} UTC"
        return ((sparkline([running for _, running, _ in counts], most), told),)

    def controls(self) -> Any:
        """Watch; deploy, roll back, scale, run a task."""
        from ecr_widgets.panels.deploy_controls import DeployControls

        self._own = DeployControls(self)
        return self._own.widget

    def update_controls(self) -> None:
        """Offer the deploys that are stored."""
        self._own.offer(self._view)

    def confirmable(self, what: str, lines: tuple[str, ...], step: Callable[[Kit], object]) -> Plan:
        """A change of the service, to be confirmed while it stands where it stood when this was planned."""
        planned_on = self._view.deploy_id if self._view is not None else None

        def checked(kit: Kit) -> object:
            standing = kit.look.service(self.environment, self.service).deploy_id
            if standing != planned_on:
                raise TargetBusy(
                    f"{self.target} was moved to {standing} since this was planned",
                    run_id=kit.run_id,
                    holder="somebody elsewhere",
                    hint="look at what stands, then plan again",
                )
            return step(kit)

        return Plan(what, lines, checked)
