"""Copies that find no place to run: the scheduler says so in its events, and tries again for ever."""

from __future__ import annotations

from ecr_widgets.model.services import Deployment

PATIENCE_S = 30.0
"""How long the scheduler may say so: the copies that are being replaced may still make room."""
_SAYS = "unable to place a task"


class NoRoom:
    """What the scheduler says of one deployment, from look to look."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self.reason = ""
        """Why there is no room, in the scheduler's words."""

    def look(self, deployment: Deployment | None, now_s: float) -> bool:
        """Take note of it, and say whether waiting on makes no sense."""
        events = deployment.events if deployment is not None else ()
        if not events or _SAYS not in events[-1]:
            self._since_s = None
            return False
        self.reason = events[-1]
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s >= PATIENCE_S
