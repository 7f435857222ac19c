"""A service: what runs, what is proposed, and the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ecr_widgets.errors import EcrWidgetsError, TargetBusy
from ecr_widgets.model.drawing import AMBER, BLUE, GREY, Drawing, Series, stacked
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import Image
from ecr_widgets.model.script import Script
from ecr_widgets.model.services import Copy, Deployment, Service
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.panels import deploy_actions
from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.offers import Action
from ecr_widgets.panels.picture import MOST_ROWS, Part, Picture, bar, local_time, when
from ecr_widgets.panels.plans import Plan
from ecr_widgets.steps.shared.crash_loop import stop_reason
from ecr_widgets.steps.shared.service_view import ServiceView

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.panels.notebook_kit import NotebookKit

_COLUMNS = ("deploy", "status", "image", "running", "pending", "since")
_COPY_COLUMNS = ("copy", "deploy", "status", "health", "since", "runs")
_MOST_SPANS = 8
_LEAST_LOOKS, _MOST_LOOKS = 3, 60
_LAYERS = (AMBER, GREY, BLUE)
"""Colours of deploys in the plot, the newest last."""
_MOST_LINES = 8
_MOST_OTHERS = 20
_MOST_DEPLOYS = 3


@dataclass(frozen=True, slots=True)
class _Span:
    """A period in which the counts stayed the same."""

    began_at: datetime
    seen_at: datetime
    running: int
    wanted: int


class DeploysPanel(Panel):
    """What a service runs, how it got there and what its containers say.

    Deploy an image, roll back to an earlier deploy, scale, run a task: each is shown as a plan first, and confirmed with a
    button that names the target.
    """

    follows = True
    view: ServiceView | None = None
    """What was read last."""
    _spans: tuple[_Span, ...] = ()
    _counts_seen: tuple[tuple[datetime, Mapping[str, int]], ...] = ()
    """Running copies by deploy, at each change and at the last read."""
    _reasons: Mapping[str, tuple[str, ...]] = {}
    _events: Mapping[str, tuple[str, ...]] = {}
    _crashed: Mapping[str, tuple[str, ...]] = {}
    _course: tuple[str, ...] = ()
    """The deploys that the service ran since the panel was opened, in order."""
    _names: Mapping[str, str] = {}
    """Repositories of this registry by running image, without digests, since these change with each deploy."""
    _tagged: Mapping[str, tuple[Image, ...]] = {}
    """Tagged images by repository, newest first."""
    _tags_are_due = True

    _images: Mapping[str, tuple[str, ...]] = {}
    """Images of the deploys that saved runs prove, by deploy id."""

    def __init__(self, kit: NotebookKit, environment: str, service: str) -> None:
        super().__init__(kit)
        self.environment = environment
        self.service = service

    @property
    def target(self) -> str:
        """The target as actions name it."""
        return f"{self.environment}/{self.service}"

    def read(self) -> Iterator[None]:
        """Read the service and add its counts; reasons and events are kept, though what they describe may be gone by now."""
        # If tags are requested meanwhile, the next read gets them: this one may be too old for them.
        tags_are_due, self._tags_are_due = self._tags_are_due, False
        view = self._look.service(self.environment, self.service)
        service = view.service
        if service is not None:
            self._spans = _longer(self._spans, self._kit.now(), service)
            self._counts_seen = _seen(self._counts_seen, self._kit.now(), service)
            for each in service.deployments:
                reasons = tuple(map(stop_reason, each.stopped_reasons[-_MOST_LINES:]))
                self._reasons = _latest(self._reasons, each.deploy_id, reasons)
                self._crashed = _latest(
                    self._crashed, each.deploy_id, view.crash_logs.get(each.deploy_id, ())
                )
                events = tuple(filter(None, (each.reason, *each.events[:_MOST_LINES])))
                self._events = _latest(self._events, each.deploy_id, events)
            if view.deploy_id is not None and view.deploy_id not in self._course[-1:]:
                self._course = (*self._course, view.deploy_id)[-_MOST_SPANS:]
        self.view = view
        yield
        if tags_are_due:
            self._read_tags(view)
            yield

    def read_after(self) -> Iterator[None]:
        """Read again, including tags, which the action may have changed."""
        self._tags_are_due = True
        return self.read()

    def refresh(self) -> None:
        """Read again, including new images."""
        self._tags_are_due = True
        super().refresh()

    def _read_tags(self, view: ServiceView) -> None:
        """Read the images of the repositories that the service runs images from, and of proven deploys."""
        names: dict[str, str] = {}
        tagged: dict[str, tuple[Image, ...]] = {}
        for _, text in view.containers:
            with suppress(
                EcrWidgetsError
            ):  # another registry's image, or one that cannot be read: none is offered for it
                name = self._kit.name_of(ImageReference.parse(text))
                names[text.partition("@")[0]] = name
                if name not in tagged:
                    images = [image for page in self._look.images(name) for image in page if image.tags]
                    tagged[name] = tuple(sorted(images, key=lambda each: each.pushed_at, reverse=True))
        proven = [each.deploy_id for each in view.stored if each.deploy_id in view.proven][:_MOST_OTHERS]
        self._images = {each: self._look.deploy_images(self.environment, each) for each in proven}
        self._names, self._tagged = names, tagged

    def choices(self) -> Sequence[tuple[str, str, Sequence[Image]]]:
        """Containers whose image can be replaced by another of its repository: name, repository, images there, newest first."""
        view, tagged = self.view, self._tagged
        running = view.containers if view is not None else ()
        named = ((container, self._names.get(text.partition("@")[0], "")) for container, text in running)
        return [(container, name, tagged[name]) for container, name in named if tagged.get(name)]

    def tags_of(self, image: str) -> tuple[str, ...]:
        """The tags of an image given by digest; none if they were not read."""
        _, at, digest = image.partition("@")
        known = (each for images in self._tagged.values() for each in images)
        return next((each.tags for each in known if at and each.digest == digest), ())

    def images_of(self, deploy_id: str) -> tuple[str, ...]:
        """The images of a deploy that a saved run proves."""
        return self._images.get(deploy_id, ())

    def _shown(self, image: str) -> str:
        """An image by tag and digest."""
        name, at, digest = image.partition("@")
        tags = self.tags_of(image)
        return f"{name}:{tags[0]}{at}{digest}" if tags and ":" not in name.rpartition("/")[2] else image

    def draw(self, now: datetime, *, most: int = MOST_ROWS) -> Picture:
        """One row per deployment; counts, reasons, earlier deploys and log lines below."""
        title, view = f"Service {self.target}", self.view
        if view is None or view.service is None:
            note = "" if view is None else "does not exist yet: a first deploy creates it"
            return Picture("deploys", title, now, (), (), note=note)
        service = view.service
        rows = tuple(
            (
                each.deploy_id,
                _status(each),
                "\n".join(map(self._shown, view.images.get(each.deploy_id, ()))) or "not known",
                f"{each.running_count} of {each.desired_count}",
                str(each.pending_count),
                when(each.created_at, now),
            )
            for each in service.deployments
        )
        note = f"{self._condition(service)} · {_counts(service)}"
        return Picture(
            "deploys", title, now, _COLUMNS, rows, note=note, parts=self._parts(view), plots=self._plots()
        )

    def _plots(self) -> tuple[Drawing, ...]:
        """Running copies over time, one layer per deploy; nothing if they were read once or never changed."""
        course = self._counts_seen
        if len(course) < _LEAST_LOOKS:
            return ()
        names = tuple(dict.fromkeys(name for _, counts in course for name in counts))[-len(_LAYERS) :]
        layers = tuple(
            Series(name, tuple(counts.get(name, 0) for _, counts in course), colour)
            for name, colour in zip(names, _LAYERS[-len(names) :], strict=True)
        )
        seconds = tuple((moment - course[0][0]).total_seconds() for moment, _ in course)
        changes = ", ".join(f"{each.name} from {each.values[0]:g} to {each.values[-1]:g}" for each in layers)
        return (stacked(seconds, layers, alt=f"Running copies over {seconds[-1]:.0f} s: {changes}"),)

    def _condition(self, service: Service) -> str:
        """The condition of the service in a word, with a sign."""
        primary = service.primary
        if primary is None:
            return "○ nothing runs"
        is_whole = primary.running_count == primary.desired_count == service.desired_count
        if not is_whole or any(each.running_count for each in service.deployments if each is not primary):
            return f"◐ rolling {primary.running_count} of {service.desired_count}"
        is_back = primary.deploy_id in self._course[:-1] or any(
            each.state == "FAILED" for each in service.deployments
        )
        return "↩ rolled back" if is_back else "● stable"

    def _parts(self, view: ServiceView) -> tuple[Part, ...]:
        others = [each.deploy_id for each in view.stored if each.deploy_id != view.deploy_id]
        more = f", and {len(others) - _MOST_OTHERS} more" if len(others) > _MOST_OTHERS else ""
        stored = f"{', '.join(others[:_MOST_OTHERS])}{more}"
        parts = (
            Part("Copies that run, over time", ("from", "to", "copies", "running"), self._plot()),
            Part("Copies", _COPY_COLUMNS, tuple(_copy_row(each, self._kit.now()) for each in view.copies)),
            Part("Why containers stopped", ("deploy", "reason"), _rows(self._reasons)),
            Part("Last lines of copies that stopped", ("deploy", "line"), _rows(self._crashed)),
            Part("Events", ("deploy", "event"), _rows(self._events)),
            Part("Other stored deploys, by name, newest first", (), ((stored,),) if stored else ()),
            Part("Last log lines", (), tuple((line,) for line in view.log)),
        )
        return tuple(part for part in parts if part.rows)

    def _plot(self) -> tuple[tuple[str, ...], ...]:
        if len(self._spans) == 1 and self._spans[0].began_at == self._spans[0].seen_at:
            return ()  # one read shows no change over time
        return tuple(
            (
                _clock(each.began_at),
                _clock(each.seen_at),
                bar(each.running, each.wanted),
                f"{each.running} of {each.wanted}",
            )
            for each in self._spans
        )

    def actions(self) -> Sequence[Action]:
        """Deploy, roll back, scale, run a task."""
        return deploy_actions.of_service(self)

    def confirmable(self, what: str, lines: tuple[str, ...], script: Script) -> Plan:
        """A change of the service, to be confirmed as long as it runs what it ran when this was planned."""
        planned_on = self.view.deploy_id if self.view is not None else None

        def check(kit: Kit) -> None:
            current = kit.look.service(self.environment, self.service).deploy_id
            if current != planned_on:
                raise TargetBusy(
                    f"{self.target} was moved to {current} since this was planned",
                    run_id=kit.run_id,
                    holder="another person or program",
                    hint="check what runs now, then plan again",
                )

        return Plan(what, lines, script, check)


def _status(deployment: Deployment) -> str:
    state = "" if deployment.state == "COMPLETED" else deployment.state
    pause = "waits at a pause" if deployment.hook_id else ""
    words = (deployment.status, state, deployment.stage, deployment.traffic, pause)
    return ", ".join(each.replace("_", " ").lower() for each in words if each)


def _copy_row(copy: Copy, now: datetime) -> tuple[str, ...]:
    runs = "\n".join(f"{each.name} {each.image_digest or 'reports no digest'}" for each in copy.containers)
    since = when(copy.started_at, now) if copy.started_at is not None else ""
    number = copy.copy_id.rpartition("/")[2]
    return number, copy.deploy_id, copy.status.lower(), copy.health.lower(), since, runs


def _longer(spans: tuple[_Span, ...], now: datetime, service: Service) -> tuple[_Span, ...]:
    seen = _Span(now, now, service.running_count, service.desired_count)
    last = spans[-1] if spans else None
    if last is not None and (last.running, last.wanted) == (seen.running, seen.wanted):
        return (*spans[:-1], replace(last, seen_at=now))
    return (*spans, seen)[-_MOST_SPANS:]


def _seen(
    course: tuple[tuple[datetime, Mapping[str, int]], ...], now: datetime, service: Service
) -> tuple[tuple[datetime, Mapping[str, int]], ...]:
    """The course with one more read; while the counts stay the same, only the first and the last read are kept."""
    counts: dict[str, int] = {}
    for each in reversed(service.deployments):
        counts[each.deploy_id] = counts.get(each.deploy_id, 0) + each.running_count
    same = len(course) > 1 and course[-1][1] == course[-2][1] == counts
    return (*(course[:-1] if same else course), (now, counts))[-_MOST_LOOKS:]


def _latest(
    known: Mapping[str, tuple[str, ...]], deploy_id: str, texts: tuple[str, ...]
) -> Mapping[str, tuple[str, ...]]:
    """What was last reported about each deploy, for the newest few."""
    if not texts:
        return known
    others = [(name, texts) for name, texts in known.items() if name != deploy_id]
    return dict((*others[1 - _MOST_DEPLOYS :], (deploy_id, texts)))


def _rows(reports: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    """Each text once, with how often it came."""
    return tuple(
        (deploy_id, text if count == 1 else f"{text} ×{count}")
        for deploy_id, texts in reports.items()
        for text, count in Counter(texts).items()
    )


def _counts(service: Service) -> str:
    primary = service.primary
    running = primary.running_count if primary is not None else service.running_count
    others = service.running_count - running
    return f"{running} of {service.desired_count} copies run" + (
        f", and {others} of earlier deploys" if others > 0 else ""
    )


def _clock(moment: datetime) -> str:
    here = local_time(moment, moment)
    return f"{to_rfc3339(moment)[11:19]} UTC" + (f" ({here})" if here else "")
