"""Sealing finished runs: the engine calls `seal_finished_run` once after its last write, `audit seal` what was missed."""

from __future__ import annotations

import atexit
import hashlib
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from ecr_widgets.audit.canonical import canonical, form_of
from ecr_widgets.audit.chain import SEAL_VERSION, Link, Seal, append, chain_file, read_links
from ecr_widgets.audit.found import Run
from ecr_widgets.audit.holders import is_held
from ecr_widgets.audit.keys import KeyFile, KeyRing, default_ring
from ecr_widgets.audit.reading import read_bytes, read_content
from ecr_widgets.audit.touched import touched
from ecr_widgets.errors import EcrWidgetsError, RecordError
from ecr_widgets.model.record import RunState
from ecr_widgets.model.times import to_rfc3339


def seal_finished_run(path: Path, *, at_exit: bool = False) -> None:
    """Seal one saved run in its folder; a run that cannot be sealed stays as good as it was, and stderr says why.

    Args:
        path: The saved run, finished.

        at_exit: Whether to wait for the end of this process, because somebody else, papermill, still writes the file.
    """
    if at_exit:
        atexit.register(seal_finished_run, path)
        return
    try:
        seal_run(path.parent, path.name, ring=default_ring(), now=datetime.now(UTC))
    except (EcrWidgetsError, OSError, ValueError) as error:
        print(f"the run is saved but not sealed: {error}", file=sys.stderr)  # noqa: T201


def seal_run(runs: Path, name: str, *, ring: KeyRing, now: datetime) -> Seal | None:
    """Seal one run; nothing is added where the chain ends with a seal of just this file.

    Raises:
        RecordError: Not a finished run, or a chain that cannot be added to.

        SettingsError: There is no key to sign with.

        OSError: The file cannot be read or the chain not be written.
    """
    key, private = ring.signing_key(now=now)
    return _seal(runs, name, key=key, sign=private.sign, now=now)


def _seal(
    runs: Path, name: str, *, key: KeyFile, sign: Callable[[bytes], bytes], now: datetime
) -> Seal | None:
    content = read_bytes(runs / name)
    run = read_content(content, name)
    if not isinstance(run, Run):
        raise RecordError(f"{name!r} is {run.kind}: {run.why}")
    if run.state is RunState.RUNNING and is_held(runs / name):
        raise RecordError(f"{name!r} is running now")
    form = form_of(content)
    pairs = touched(run)
    file_sha256 = hashlib.sha256(content).hexdigest()

    def make(n: int, project: str, previous: str | None) -> Seal:
        return Seal(
            version=SEAL_VERSION,
            n=n,
            project=project,
            previous=previous,
            path=name,
            run_id=run.run_id,
            runbook=run.runbook,
            runbook_sha256=run.runbook_sha256,
            state=run.state.value,
            started_at=to_rfc3339(run.started_at) if run.started_at else None,
            ended_at=to_rfc3339(run.ended_at) if run.ended_at else None,
            actor=run.actor,
            digests=tuple(sorted(value for kind, value in pairs if kind == "digest")),
            deploys=tuple(sorted(value for kind, value in pairs if kind == "deploy")),
            parameters_sha256=hashlib.sha256(canonical(dict(run.parameters))).hexdigest(),
            file_sha256=file_sha256,
            form_sha256=form.sha256,
            metadata=dict(form.metadata),
            cells=form.cells,
            sealed_at=now,
            key=key.key,
        )

    return append(runs, make, sign, unless=(name, file_sha256))


def seal_missing(runs: Path, names: Iterable[str], *, ring: KeyRing, now: datetime) -> list[str]:
    """Seal every run that has no seal and is not running, in the order given: killed ones and plain papermill's too.

    A run whose seal disagrees with its file is left alone: that is for `audit verify` to tell.

    Returns:
        Names of the files sealed.
    """
    sealed = {link.seal.path for link in links_of(runs) if link.seal}
    done: list[str] = []
    due = [name for name in names if name not in sealed]
    if not due:
        return done
    key, private = ring.signing_key(now=now)
    for name in due:
        try:
            _seal(runs, name, key=key, sign=private.sign, now=now)
        except (RecordError, OSError):
            continue
        done.append(name)
    return done


def links_of(runs: Path) -> list[Link]:
    """The chain of a runs folder, empty where there is none.

    Raises:
        RecordError: It is there and cannot be read.
    """
    try:
        return list(read_links(chain_file(runs).read_bytes()))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordError(
            f"the seals in {str(chain_file(runs))!r} cannot be read: {error.strerror}"
        ) from error
