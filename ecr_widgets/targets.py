"""What a run changes: held for it alone on this host, and looked at once more before each change for the sake of others."""

from __future__ import annotations

from contextlib import AbstractContextManager

from ecr_widgets.errors import TargetBusy
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Locks


class Targets:
    """The images and services that one run changes.

    A lock keeps other runs of this host away. Runs elsewhere are noticed by what stands: where it is neither what this
    run saw first nor what it wants, somebody else was at work.
    """

    def __init__(self, locks: Locks, run_id: str, layer0_endpoint: str) -> None:
        self._locks = locks
        self._run_id = run_id
        self._layer0_endpoint = layer0_endpoint
        self._seen: dict[str, str | None] = {}

    def image(self, reference: ImageReference) -> str:
        """Name of a tag in a registry."""
        return f"image {reference}"

    def service(self, environment_id: str, service: str) -> str:
        """Name of a service in a Layer0 environment."""
        return f"service {service} of environment {environment_id} at {self._layer0_endpoint}"

    def hold(self, target: str) -> AbstractContextManager[None]:
        """Hold the target at least within the context.

        Raises:
            TargetBusy: Another run holds it.
        """
        return self._locks.hold(target)

    def note(self, target: str, standing: str | None) -> None:
        """Take note of what stands: a digest, a deploy's id, None for nothing."""
        self._seen[target] = standing

    def check(self, target: str, standing: str | None, *, wanted: str | None = None) -> None:
        """Compare what stands right before a change with what was noted last.

        Raises:
            TargetBusy: Somebody else has changed it since.
        """
        if target in self._seen and standing not in (self._seen[target], wanted):
            raise TargetBusy(
                f"{target} was changed by somebody else while this run went on: it stood on"
                f" {self._seen[target] or 'nothing'} and stands on {standing or 'nothing'} now",
                run_id=self._run_id,
                holder="somebody elsewhere",
                hint="look at who works on it, then run again",
            )
        self._seen.setdefault(target, standing)
