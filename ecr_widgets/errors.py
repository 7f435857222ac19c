"""All errors of the kit, in one small tree; every layer may import it, and it imports none of them.

    EcrWidgetsError                     .hint (next action), .retryable
    ├─ InputError(ValueError)           refused before anything was changed
    │  ├─ InvalidReference              an image reference, repository name, tag or digest
    │  ├─ InvalidDockerrun              .pointer (JSON pointer to the place)
    │  ├─ UnknownParameter
    │  └─ GateRefused                   .reasons
    ├─ SettingsError                    a setting or a tool is missing or unusable
    ├─ LimitReached                     no more open files, processes, memory or space
    ├─ RegistryError
    │  ├─ RegistryUnavailable
    │  ├─ AuthorizationError            token or identity missing, refused or expired
    │  ├─ RepositoryNotFound
    │  ├─ ImageNotFound
    │  └─ TagImmutable                  .standing, .wanted (digests)
    ├─ EngineError
    │  ├─ EngineUnavailable
    │  │  └─ EngineLost                 it has answered before
    │  ├─ BuildError                    .log
    │  │  └─ BuildRefused               before anything was built
    │  └─ PushError                     .log
    ├─ DeployTargetError                .status, .code: Layer0 or ECS refused or failed
    │  ├─ DeployTargetUnavailable       no usable answer
    │  ├─ Layer0Error
    │  │  └─ Layer0Unavailable          also a DeployTargetUnavailable
    │  ├─ EcsError
    │  ├─ ConcurrentChange              refused, because somebody else is changing the same thing
    │  ├─ EntityNotFound
    │  └─ DeploymentFailed              .reasons .log
    ├─ FleetStopped                     .targets .reasons: a fleet did not finish all its targets
    │  └─ FleetUnknown                  also an OutcomeUnknown
    ├─ RollbackFailed                   neither the new deploy nor the earlier one runs
    ├─ WaitTimeout(TimeoutError)        .waited_s, .last_seen
    ├─ OutcomeUnknown                   a change was requested and the reply was lost
    │  └─ StepCancelled                 a person stopped a step before it ended
    ├─ VerifyError                      what runs is not what was wanted
    ├─ RunError                         .run_id, .step
    │  └─ TargetBusy                    .holder
    └─ RecordError                      a record that cannot be read
       └─ Replaced                      a store of runs no longer holds what was read

Messages read `what happened: why; what to try`; `hint` is the part after the semicolon.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_ERRNO = re.compile(r"\[Errno -?\d+\] ")


class EcrWidgetsError(Exception):
    """Base of all our errors.

    Args:
        message: What happened and why, one sentence without a final stop.

        hint: What to try next, or None if nothing useful is known.

        retryable: Whether the same call may succeed later without a change by the user.
    """

    def __init__(self, message: str, *, hint: str | None = None, retryable: bool = False) -> None:
        # Many messages end with the system's words, whose number helps nobody.
        message = _ERRNO.sub("", message)
        super().__init__(message if hint is None else f"{message}; {hint}")
        self.message = message
        self.hint = hint
        self.retryable = retryable

    def _render_traceback_(self) -> list[str]:
        """The one line that IPython shows below a cell: a traceback of our own code would hide what to try."""
        return [f"{type(self).__name__}: {self}"]


class InputError(EcrWidgetsError, ValueError):
    """The input cannot be used; nothing was changed."""


class InvalidReference(InputError):
    """An image reference, repository name, tag or digest breaks its grammar."""


class InvalidDockerrun(InputError):
    """A Dockerrun, or another document that a target takes, cannot be used.

    Args:
        pointer: JSON pointer (RFC 6901) to the offending place; "" is the whole document.

        path: Its file, if it came from one.

        what: What the document is called.
    """

    def __init__(
        self,
        message: str,
        *,
        pointer: str = "",
        hint: str | None = None,
        path: str = "",
        what: str = "Dockerrun",
    ) -> None:
        which = f"{what} {path!r}" if path else what
        where = f" at {pointer}" if pointer else ""
        super().__init__(f"{which} refused{where}: {message}", hint=hint)
        self.why = message
        self.pointer = pointer
        self.what = what

    def in_file(self, path: str) -> InvalidDockerrun:
        """The same error with the file's name, which the parser does not know."""
        return InvalidDockerrun(self.why, pointer=self.pointer, hint=self.hint, path=path, what=self.what)

    def called(self, what: str) -> InvalidDockerrun:
        """The same error for a document with another name."""
        return InvalidDockerrun(self.why, pointer=self.pointer, hint=self.hint, what=what)


class UnknownParameter(InputError):
    """The runbook does not declare this parameter, or declares it with another type."""


class GateRefused(InputError):
    """A policy refuses an image, or could not be checked; nothing was changed.

    Args:
        reasons: Each rule that is not met.
    """

    def __init__(self, message: str, *, reasons: Sequence[str], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reasons = tuple(reasons)


class SettingsError(EcrWidgetsError):
    """A setting is missing or cannot be used, or a required tool is not installed."""


class LimitReached(EcrWidgetsError):
    """No more open files, processes, memory or space, for this process or the whole machine."""


class RegistryError(EcrWidgetsError):
    """The registry or ECR refused or failed."""


class RegistryUnavailable(RegistryError):
    """The registry or the AWS endpoint could not be reached or gave no usable answer."""


class AuthorizationError(RegistryError):
    """The authorization token or the AWS identity is missing, refused or expired."""


class RepositoryNotFound(RegistryError):
    """The repository does not exist in the registry."""


class ImageNotFound(RegistryError):
    """No such image in the registry or on the engine."""


class ImageInUse(RegistryError):
    """The image runs, or a stored deploy names it, so it must not be deleted."""


class TagImmutable(RegistryError):
    """The tag names another image and the repository forbids moving it.

    Args:
        standing: Digest that the tag names now.

        wanted: Digest that was to be pushed under the tag; None if it is not known.
    """

    def __init__(self, message: str, *, standing: str, wanted: str | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.standing = standing
        self.wanted = wanted


class EngineError(EcrWidgetsError):
    """The Docker Engine refused or failed."""


class EngineUnavailable(EngineError):
    """No Docker Engine answers, and none can be started."""


class EngineLost(EngineUnavailable):
    """The Docker Engine answered at first, and then no longer: something may have been started."""


class BuildError(EngineError):
    """An image build failed; `log` holds the builder's output lines."""

    def __init__(
        self, message: str, *, log: Sequence[str] = (), hint: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message, hint=hint, retryable=retryable)
        self.log = tuple(log)


class BuildRefused(BuildError):
    """Something that the build needs is missing, or the builder cannot do it; nothing was built."""


class PushError(EngineError):
    """A push failed inside the engine's event stream; `log` holds its lines."""

    def __init__(
        self, message: str, *, log: Sequence[str] = (), hint: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message, hint=hint, retryable=retryable)
        self.log = tuple(log)


class DeployTargetError(EcrWidgetsError):
    """Layer0 or ECS refused or failed.

    Args:
        status: HTTP status; 0 if there was no answer.

        code: Layer0's error_code; 0 if the body had none. AWS's error names are in the message.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: int = 0,
        hint: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, retryable=retryable)
        self.status = status
        self.code = code


class DeployTargetUnavailable(DeployTargetError):
    """The deploy target could not be reached, or something else answered."""


class Layer0Error(DeployTargetError):
    """Layer0 refused or failed."""


class Layer0Unavailable(Layer0Error, DeployTargetUnavailable):
    """Layer0 could not be reached, or something else answered."""


class EcsError(DeployTargetError):
    """ECS refused or failed."""


class ConcurrentChange(DeployTargetError):
    """Refused because somebody else is changing the same thing; nothing was done."""


class EntityNotFound(DeployTargetError):
    """No environment, cluster, deploy, service, task, job or load balancer with that name or id."""


class DeploymentFailed(DeployTargetError):
    """A service or task cannot reach the wanted state.

    Args:
        reasons: Why, newest last.

        log: What its containers wrote last.
    """

    def __init__(
        self, message: str, *, reasons: Sequence[str] = (), log: Sequence[str] = (), hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.reasons = tuple(reasons)
        self.log = tuple(log)


class WaitTimeout(EcrWidgetsError, TimeoutError):
    """A wait reached its deadline.

    Args:
        waited_s: Seconds waited.

        last_seen: The last observation, as text for people.
    """

    def __init__(self, message: str, *, waited_s: float, last_seen: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, retryable=True)
        self.waited_s = waited_s
        self.last_seen = last_seen


class RollbackFailed(EcrWidgetsError):
    """A service could not be rolled back to the deploy that it ran before."""


class OutcomeUnknown(EcrWidgetsError):
    """A change was requested and the reply was lost: it may or may not have happened."""


class StepCancelled(OutcomeUnknown):
    """A person stopped a step before it ended; how far it got is not known."""


class FleetStopped(EcrWidgetsError):
    """A fleet did not finish all its targets.

    Args:
        reasons: Why the first targets failed, one line each.

        targets: What happened to the wave's targets, as in the wave's record.
    """

    def __init__(
        self,
        message: str,
        *,
        reasons: Sequence[str] = (),
        targets: Mapping[str, Any] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.reasons = tuple(reasons)
        self.targets = dict(targets or {})


class FleetUnknown(FleetStopped, OutcomeUnknown):
    """The outcome of at least one of a fleet's targets is not known."""


class VerifyError(EcrWidgetsError):
    """What runs is not what was wanted."""


class RunError(EcrWidgetsError):
    """A run stopped."""

    def __init__(
        self, message: str, *, run_id: str, step: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.run_id = run_id
        self.step = step


class TargetBusy(RunError):
    """Another run holds the target; `holder` says which run, on which host and since when."""

    def __init__(self, message: str, *, run_id: str, holder: str, hint: str | None = None) -> None:
        super().__init__(message, run_id=run_id, hint=hint)
        self.holder = holder


class RecordError(EcrWidgetsError):
    """A saved run or a record in it cannot be read."""


class Replaced(RecordError):
    """Somebody else has written since: what was to be replaced has changed, or what was to be new exists."""
