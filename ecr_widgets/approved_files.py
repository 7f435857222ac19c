"""Files that were examined when a run was approved: the run refuses content that has changed since."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ecr_widgets.errors import BuildRefused, InputError
from ecr_widgets.model.build_context import BuildContext, find_context, unreadable
from ecr_widgets.model.record import StepRecord
from ecr_widgets.private_folder import PrivateFolder


@dataclass(frozen=True, slots=True)
class ApprovedFiles:
    """Which file contents a run may use; any if the run needed no approval."""

    sha256s: Mapping[str, Sequence[str]] | None = None
    """By what a file or a folder is used for, in words; None if nothing was approved."""

    @classmethod
    def of_plan(cls, records: Iterable[StepRecord]) -> ApprovedFiles:
        """The files that a plan's steps examined, from their records."""
        sha256s: dict[str, list[str]] = {}
        for record in records:
            inputs, outcome = record.inputs, record.outcome
            if sha256 := outcome.get("context_sha256"):
                sha256s.setdefault(_build(inputs["context"], inputs["dockerfile"]), []).append(sha256)
            if sha256 := outcome.get("file_sha256"):
                sha256s.setdefault(_dockerrun(inputs["dockerrun"]), []).append(sha256)
            if sha256 := outcome.get("service_file_sha256"):
                sha256s.setdefault(_service_file(inputs["service_file"]), []).append(sha256)
            if sha256 := outcome.get("fleet_sha256"):
                sha256s.setdefault(_fleet(inputs["runbook"]), []).append(sha256)
        return cls(sha256s)

    @classmethod
    def parse(cls, text: str) -> ApprovedFiles:
        """Read what `to_json` has written; an empty text means that nothing was approved."""
        return cls(json.loads(text) if text else None)

    def to_json(self) -> str:
        """One line of JSON; empty if nothing was approved."""
        return "" if self.sha256s is None else json.dumps(self.sha256s)

    def check_dockerrun(self, name: str, content: bytes) -> None:
        """Refuse a Dockerrun whose content is not what was approved.

        Raises:
            InputError: It was changed since, or is not in the plan.
        """
        self._check(_dockerrun(name), file_sha256(content))

    def check_service_file(self, name: str, content: bytes) -> None:
        """Refuse a service file whose content is not what was approved.

        Raises:
            InputError: It was changed since, or is not in the plan.
        """
        self._check(_service_file(name), file_sha256(content))

    def check_fleet(self, runbook: str, sha256: str) -> None:
        """Refuse a fleet of another runbook, or with other targets, than was approved.

        Raises:
            InputError: It is not the approved fleet.
        """
        self._check(_fleet(runbook), sha256)

    @contextmanager
    def context(self, name: str, dockerfile: str, folder: Path) -> Iterator[tuple[Path, str]]:
        """The folder and Dockerfile to build from; if a plan was approved, a copy that nobody else can change.

        Args:
            name: The context as the step's inputs name it.

            dockerfile: Path relative to the folder, or an absolute one.

            folder: Where the context was found.

        Raises:
            InputError: It was changed since, or is not in the plan.

            BuildRefused: It cannot be read or copied.
        """
        if self.sha256s is None:
            yield folder, dockerfile
            return
        with _copied(find_context(folder, dockerfile)) as copy:
            self._check(_build(name, dockerfile), context_sha256(copy))
            yield copy.folder, copy.name_in_context or str(copy.dockerfile)

    def _check(self, use: str, sha256: str) -> None:
        if self.sha256s is not None and sha256 not in self.sha256s.get(use, ()):
            raise InputError(
                f"{use} is not what was approved: it was changed since, or the plan did not use it",
                hint="look at what changed, then make a new plan",
            )


ANY_FILES = ApprovedFiles()


def file_sha256(content: bytes) -> str:
    """SHA-256 of what was read, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def context_sha256(context: BuildContext) -> str:
    """SHA-256 over names, permissions, link targets and contents of the files that a build is sent, in hexadecimal.

    Raises:
        BuildRefused: A file cannot be read.
    """
    whole = hashlib.sha256()
    for sent in context.sent():
        mode = sent.status.st_mode
        try:
            if stat.S_ISLNK(mode):
                content = str(sent.path.readlink())
            elif stat.S_ISREG(mode):
                content = _sha256_of(sent.path)
            else:
                content = ""
        except OSError as error:
            raise unreadable(sent.path, error) from error
        # One JSON array per file: no two different contexts give the same text.
        whole.update(json.dumps([sent.name, mode, content]).encode() + b"\n")
    # Always include the Dockerfile, even if it is ignored or outside the context.
    whole.update(file_sha256(context.dockerfile_content()).encode())
    return whole.hexdigest()


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _build(context: str, dockerfile: str) -> str:
    return f"build context {context!r} with {dockerfile!r}"


def _dockerrun(path: str) -> str:
    return f"Dockerrun {path!r}"


def _service_file(path: str) -> str:
    return f"service file {path!r}"


def _fleet(runbook: str) -> str:
    return f"fleet of {runbook!r}"


@contextmanager
def _copied(context: BuildContext) -> Iterator[BuildContext]:
    """A copy of the files that a build is sent, in a folder of this user alone; removed after the block."""
    try:
        # Not in memory: contexts may be large.
        private = PrivateFolder({})
    except OSError as error:
        raise _no_copy(error) from error
    modes: dict[Path, int] = {}
    try:
        try:
            copy = _copy(context, private.path, modes)
        except OSError as error:
            raise _no_copy(error) from error
        yield copy
    finally:
        for folder in modes:
            with suppress(OSError):
                folder.chmod(0o700)
        private.remove()


def _copy(context: BuildContext, into: Path, modes: dict[Path, int]) -> BuildContext:
    folder = into / "context"
    folder.mkdir()
    for sent in context.sent():
        mode, target = sent.status.st_mode, folder / sent.name
        if stat.S_ISDIR(mode):
            target.mkdir()
            modes[target] = stat.S_IMODE(mode)
        elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            shutil.copy2(sent.path, target, follow_symlinks=False)
        else:
            os.mknod(target, mode, sent.status.st_rdev)
    inside = context.name_in_context
    copy = BuildContext(folder, folder / inside if inside else into / "dockerfile" / context.dockerfile.name)
    # A build reads these whether they are sent or not.
    read = zip(
        (context.dockerfile, *context.ignore_files), (copy.dockerfile, *copy.ignore_files), strict=True
    )
    for source, target in read:
        if source.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for path, each in reversed(modes.items()):
        path.chmod(each)
    return copy


def _no_copy(error: OSError) -> BuildRefused:
    return BuildRefused(
        f"the approved build context cannot be copied: {error}",
        hint="free some space, or name another folder for temporary files by TMPDIR",
    )
