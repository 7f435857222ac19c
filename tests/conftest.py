"""What tests share: one started sandbox for the whole session."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import botocore.loaders
import botocore.session
import hypothesis
import psutil
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from ecr_widgets.errors import EngineUnavailable
from ecr_widgets.sandbox import Sandbox
from tests.buckets import Buckets, moto, shared_seaweed
from tests.faults.forked import usual_environ
from tests.people import NoSecondUser, Two, two_users

# A loaded machine is no failure: no test measures time.
hypothesis.settings.register_profile(
    "any-speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-speed")


TEMPORARY = pytest.StashKey[Path]()
STDERR = pytest.StashKey[int]()
"""This process's own, which tests and pytest replace."""
_KEPT = ("PYTHONPATH", "PYTHONHOME")
"""Of the settings of Python, what it needs to find modules. What tests prove does not depend on the others."""
LONGEST_S = 900.0
"""Of a test that does not end when pytest-timeout interrupts it."""


def pytest_configure(config: pytest.Config) -> None:
    """Signals that a shell has this process ignore, as `nohup` does, would be ignored by all that tests start and stop.

    Processes that tests kill leave temporary files behind; all of them are in one folder, which goes with the session. There,
    each worker has signing keys, locks and caches of its own, also for what runs as it ends.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Containers often set some: each process that a test starts would compile all that it imports again, or buffer no stream.
    for name in [name for name in os.environ if name.startswith("PYTHON") and name not in _KEPT]:
        del os.environ[name]
    sys.dont_write_bytecode = False
    config.stash[STDERR] = os.dup(2)
    if not hasattr(config, "workerinput"):
        config.stash[TEMPORARY] = folder = Path(tempfile.mkdtemp(prefix="t-"))
        folder.chmod(0o711)  # other users' tests reach what is theirs
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        # Shorter than pytest's own choice: tests have sockets there, whose paths end at 108 bytes.
        config.option.basetemp = config.option.basetemp or str(folder / "p")
    own = Path(tempfile.gettempdir(), f"home-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
    os.environ |= {f"XDG_{kind}_HOME": str(own / kind.lower()) for kind in ("DATA", "STATE", "CACHE")}


def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that a test left running fails the run and is shown, instead of keeping it from ever ending."""
    if hasattr(config, "workerinput"):
        return  # one of several that are ended by the one that started them, however long it waits for the others
    if TEMPORARY in config.stash:
        shutil.rmtree(config.stash[TEMPORARY], ignore_errors=True)
    faulthandler.dump_traceback_later(60, exit=True, file=sys.__stderr__)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What failed tests wrote is kept for whoever looks into it."""
    if exitstatus == pytest.ExitCode.TESTS_FAILED and TEMPORARY in session.config.stash:
        print(f"\ntemporary files of this run: {session.config.stash[TEMPORARY]}")
        del session.config.stash[TEMPORARY]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """See `_end_if_it_hangs`."""
    _end_if_it_hangs(item)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """See `_end_if_it_hangs`; pytest has called that off for a test that failed."""
    _end_if_it_hangs(item)


def _end_if_it_hangs(item: pytest.Item) -> None:
    """One that pytest-timeout cannot interrupt fails the run and is shown, instead of keeping it from ever ending.

    It interrupts a test once: what then waits in a `finally` waits for ever.
    """
    faulthandler.dump_traceback_later(LONGEST_S, exit=True, file=item.config.stash[STDERR])


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Show a failure at once, since a run that is killed has no summary, and how much this machine has left."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        memory, disk = psutil.virtual_memory().available, shutil.disk_usage(tempfile.gettempdir()).free
        has = f"{memory >> 20} MB of memory and {disk >> 20} MB of disk free, load {os.getloadavg()[0]:.0f}"
        what = f"{report.nodeid}, at {report.when}, {has}:"
        print(f"\n{what}\n{report.longreprtext}", file=sys.__stderr__, flush=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController, error: object) -> None:
    """Say how a worker ended that did not end as it should: negative is a signal."""
    if error:
        code: int | str = "none, it is still there"
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = node.gateway._io.popen.wait(10)
        print(f"\nexit code of {node.gateway.id}: {code}", file=sys.__stderr__, flush=True)


ONE_BY_ONE = frozenset({"tests/faults/test_quick.py", "tests/sandbox/test_dockerfiles.py"})
"""Files whose tests share no more than the sandbox."""
ONE_WINDOW = "tests/panels/"
"""A folder whose tests share a browser and a JupyterLab that it has loaded: one worker takes all of them, first."""
LONG = frozenset({
    "tests/sandbox/test_adopt.py", "tests/sandbox/test_recorded.py",
    "tests/sandbox/ecs/test_conformance.py",
})  # fmt: skip
"""Files with few tests that take minutes."""


class ByFile(LoadFileScheduling):
    """A file of tests goes to one worker, since its fixtures and notebooks belong together, but for the longest files."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        if file.startswith(ONE_WINDOW):
            return ONE_WINDOW
        return nodeid if file in ONE_BY_ONE else file

    def remove_node(self, node: WorkerController) -> str | None:
        """Of a worker that died, others take what it had not begun.

        xdist gives them all that it ever had: the test that it died of, which kills the next one too, and files that are
        complete, after which a worker waits for ever, as it asks for more when a test ends.
        """
        left = {
            scope: {test: False for test, complete in tests.items() if not complete}
            for scope, tests in self.assigned_work.pop(node).items()
        }
        died_of = next((test for tests in left.values() for test in tests), None)
        for tests in left.values():
            tests.pop(died_of, None)
        self.workqueue.update({scope: tests for scope, tests in left.items() if tests})
        for other in self.nodes:
            self._reschedule(other)
        return died_of


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several workers, each begins with long files, then those with many tests: single ones fill what is left at the end."""
    if not hasattr(config, "workerinput"):
        return
    files = [item.nodeid.partition("::")[0] for item in items]
    files = [ONE_WINDOW if file.startswith(ONE_WINDOW) else file for file in files]
    counts = Counter(files) | Counter(dict.fromkeys(LONG, len(items)))
    counts.update({file: 1 - counts[file] for file in ONE_BY_ONE})
    counts[ONE_WINDOW] = len(items)
    order = sorted(range(len(items)), key=lambda at: (-counts[files[at]], files[at]))
    items[:] = [items[at] for at in order]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What 7,000 collected tests and their modules are made of stays to the end: no garbage is looked for in it, neither while
    it is made, which is a sixth of that time, nor later.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """In the order in which the workers have collected them."""
    config.option.loadscopereorder = False
    return ByFile(config, log) if config.option.dist == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def _no_slow_imports() -> Iterator[None]:
    """Processes that tests start do without checkers of addresses, which no notebook has: half of papermill's import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent / "absent"), prepend=os.pathsep)
        usual_environ()
        yield


@pytest.fixture(scope="session", autouse=True)
def _models_of_aws_read_once() -> Iterator[None]:
    """All clients of boto3 in this process share what is read of botocore's files: most of what a new one costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
        yield


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that is up, which the tests of a session share."""
    with sandbox_of_its_own() as started:
        yield started


@contextlib.contextmanager
def sandbox_of_its_own() -> Iterator[Sandbox]:
    """A sandbox that nothing else uses; skips where there is no engine, naming what would give one."""
    # Short, and not below pytest's own folder: socket paths end at 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    try:
        with Sandbox(folder / "state") as started:
            yield started
    except EngineUnavailable as error:
        pytest.skip(str(error))
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def s3() -> Buckets:
    """A real server of S3, started where a test asks for it."""
    return shared_seaweed()


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    """moto's S3 in this process: quick, and no judge of races, versions or Object Lock."""
    with moto() as served:
        yield served


@pytest.fixture
def sandbox_environ(sandbox: Sandbox, tmp_path: Path) -> dict[str, str]:
    """An environment in which aws, docker and l0 find the sandbox, and nothing of this user's own configuration."""
    return outside_of(sandbox, tmp_path)


def outside_of(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Such an environment, with files in that folder."""
    return sandbox.environ(
        os.environ
        | {
            "AWS_CONFIG_FILE": str(folder / "no-aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-aws-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "DOCKER_CONFIG": str(folder / "docker-config"),
        }
    )


@pytest.fixture
def two() -> Iterator[Two]:
    """Two users of this machine and a folder that they share; skips where it cannot be two users."""
    try:
        with two_users() as both:
            yield both
    except NoSecondUser as why:
        pytest.skip(str(why))
