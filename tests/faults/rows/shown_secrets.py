"""Part A on what is shown and built: widgets, command lines, Dockerruns and images."""

# ruff: noqa: PT017 -- a row judges errors of several kinds, not one that it expects

from __future__ import annotations

import base64
import difflib
import json
import os
import re
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ecr_widgets.adapters.docker_engine import DockerEngine
from ecr_widgets.adapters.layer0.client import Layer0Api
from ecr_widgets.dockerrun.diff import diff
from ecr_widgets.dockerrun.document import Dockerrun
from ecr_widgets.dockerrun.kept_settings import kept_settings
from ecr_widgets.errors import InputError
from ecr_widgets.panels import link
from ecr_widgets.panels.notebook_kit import NotebookKit
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from ecr_widgets.settings import Layer0Settings
from ecr_widgets.steps.build_image import BuildImage
from tests.fakes import World
from tests.fakes.action_runs import FakeActionRuns
from tests.fakes.connections import FakeConnections, make_outside, perform
from tests.faults import canaries
from tests.faults.books import Ran, ours, stock
from tests.faults.plan import Attempt, leaving_sockets, row
from tests.faults.rows.live_secrets import BARE, KEEP, KIT
from tests.faults.rows.replies import environ_of, short_name
from tests.faults.rows.secret_texts import READ, given, none_readable
from tests.sandbox.layer0.served import serve
from tests.sandbox.workloads.fake_containers import FakeContainers
from tests.unit.panels.desk import Desk

WIDGETS = (
    "import ipywidgets as w\n"
    "never_shown = w.Password(value=secrets[0]['raw'])\n"
    "closed = w.Text(value=secrets[1]['raw']); closed.close()\n"
    "shown = w.VBox([w.Combobox(options=[secrets[2]['raw']]), w.HTML('<b>' + secrets[0]['html'] + '</b>'),\n"
    "    w.Dropdown(options=[('x', secrets[1]['raw'])]), w.Label(secrets[2]['raw'], tooltip=secrets[0]['raw'])])\n"
    "shown"
)
LEAST_FIELDS = 50
"""Of the three panels together, as often as they are sent."""
SECRET_FIELD = re.compile(r"passw|token|secret|credential", re.IGNORECASE)


def _in_widgets(at: Attempt, run: Callable[..., Ran], *before: str) -> None:
    folder, secrets, environ = given(at, 3)
    ran = run(folder, *before, READ + WIDGETS, environ=environ)
    assert ran.exit_code == 0, ran.stderr[-400:]
    # Our engine saves none; others, JupyterLab among them, keep what the kernel's messages tell.
    assert run is ours or ran.saved["metadata"].get("widgets"), "no state was saved, so nothing was tried"
    none_readable(folder, ran, secrets)


@row(
    4,
    "secrets in widgets: shown, never shown, closed, as options and tooltips, with their state saved",
    tries=20,
    quick=1,
    control=lambda at: _in_widgets(at, stock),
)
def in_widgets(at: Attempt) -> None:
    """What the kernel tells of a widget is masked, whoever saves it, and no control of a panel holds a password."""
    if at.seed % 2:
        _in_widgets(at, stock, "import ecr_widgets; kit = ecr_widgets.connect()")
    else:
        _in_widgets(at, ours)
    _in_controls(at)


def _in_controls(at: Attempt) -> None:
    """What panels send and save, after each has been opened and used, with a password at hand; and what the widget holds."""
    import ipywidgets

    world = World()
    to = FakeConnections(world)
    (at.folder / "Dockerfile").write_text("FROM busybox")
    kit = NotebookKit(
        to, Recorder("run-1", to.clock, QuietSink()), files=(at.folder,), actions=FakeActionRuns
    )
    kit.create_repository("app")
    kit.push_image(kit.build_image(".", name="app"), repository="app", tag="1")
    to.layer0.create_service("demo24e9e412", "web", to.layer0.create_deploy("web", b"{}").deploy_id)
    with pytest.MonkeyPatch.context() as patches:
        desk = Desk(patches, kit)
        said: list[Any] = []
        for panel in (kit.images("app"), kit.repositories(), kit.deploys("demo", "web")):
            desk.open(panel)
            desk.choose(desk.rows[0][0])
            desk.press("Refresh")
            said += [desk.messages, desk.shown]
        desk.open(kit.images("app"))
        desk.type("Local image", "app")
        desk.type("Tag", "2")
        desk.press("Push")
        said += [desk.messages, desk.shown]
    with _widget_states() as states:
        link.made_widget(lambda _: None)
        said.append(states())
    passwords = [*world.valid_passwords]
    assert passwords, "no token was ever asked for"
    _none_in(said, passwords)
    planted = ipywidgets.Text(value=passwords[0])
    try:
        _none_in([*said, planted.get_state()], passwords)
    except AssertionError:
        return
    finally:
        planted.close()
    raise RuntimeError("a planted password was not found")


@contextmanager
def _widget_states() -> Iterator[Callable[[], list[Any]]]:
    """What front ends get, and may save, of the widgets that are made meanwhile."""
    from ipywidgets.widgets import widget

    before = set(widget._instances)

    def made() -> list[Any]:
        return [widget._instances[each] for each in set(widget._instances) - before]

    try:
        yield lambda: [each.get_state() for each in made()]
    finally:
        for each in made():
            each.close()


def _none_in(said: list[Any], passwords: list[str]) -> None:
    """None of it has a password, and no field is there to take one."""
    told = json.dumps(said, default=str)
    fields = re.findall(r'"label": "([^"]*)", "value"', told)
    assert len(fields) >= LEAST_FIELDS, f"{len(fields)} fields only"
    assert not [one for one in passwords if one in told], "a password is sent or saved"
    assert not [each for each in fields if SECRET_FIELD.search(each)]


@contextmanager
def _sampled() -> Iterator[set[bytes]]:
    """Command lines of all processes of this machine, looked at 50 times a second."""
    seen: set[bytes] = set()
    looks: Counter[str] = Counter()
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.02):
            for pid in filter(str.isdigit, (each.name for each in Path("/proc").iterdir())):
                # A new process shows its parent's line until it becomes another program; later nothing changes.
                looks[pid] += 1
                if looks[pid] > 10:
                    continue
                try:
                    seen.add(Path(f"/proc/{pid}/cmdline").read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


USE = (
    "import pathlib\npathlib.Path('Dockerfile').write_text('FROM busybox\\nLABEL x=NAME\\n')\n"
    "built = kit.build_image('.', name='faults/argv')\nkit.create_repository('faults/argv')\n"
    "kit.push_image(built, repository='faults/argv', tag='NAME')"
)
ON_ARGV = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(1)', '-p', password])"


def _on_argv(at: Attempt, *sources: str) -> None:
    environ = environ_of(at)
    folder = at.folder / "run"
    folder.mkdir()
    with _sampled() as seen:
        used = [each.replace("NAME", short_name(at)) for each in sources]
        ran = ours(folder, *used, environ=environ, seen=True)
    assert ran.exit_code == 0, ran.stderr[-400:]
    secrets = [(at.folder / "password").read_text(), environ["LAYER0_AUTH_TOKEN"]]
    assert any(b"papermill" in each for each in seen), "nothing was seen at all"
    for secret in secrets:
        found = canaries.hits(secret, [each.decode(errors="replace") for each in seen])
        assert not found, f"on a command line as {', '.join(found)}"


@row(
    8,
    "secrets on command lines, of all processes during login, build and push",
    tries=20,
    quick=1,
    control=lambda at: _on_argv(at, BARE, KEEP, ON_ARGV),
)
def on_argv(at: Attempt) -> None:
    """Neither the registry's password nor Layer0's token."""
    _on_argv(at, KIT, KEEP, USE)


def _plain_diff(before: Dockerrun, after: Dockerrun) -> str:
    texts = [each.to_bytes().decode().splitlines() for each in (before, after)]
    return "\n".join(difflib.unified_diff(*texts))


def _kit_diff(before: Dockerrun, after: Dockerrun) -> str:
    return "\n".join(str(each) for each in diff(before, after))


def _in_dockerrun(at: Attempt, show: Callable[[Dockerrun, Dockerrun], str]) -> None:
    name = at.rng.choice(("DB_PASSWORD", "API_TOKEN", "SIGNING_KEY", "AWS_SECRET", "SALT"))
    # Under a name that tells nothing only what looks like a key is hidden.
    old, new = (
        "".join(at.rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(12))
        + "".join(at.rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(12))
        + "".join(at.rng.choice("0123456789") for _ in range(12))
        for _ in range(2)
    )

    def dockerrun(value: str) -> Dockerrun:
        environment = [{"name": name, "value": value}, {"name": "MODE", "value": "plain"}]
        container = {"name": "a", "image": "busybox", "memory": 10, "environment": environment}
        return Dockerrun.parse(json.dumps({"containerDefinitions": [container]}).encode())

    first, second = dockerrun(old), dockerrun(new)
    shown = show(first, second)
    assert old not in shown, shown
    assert new not in shown, shown
    assert new not in str(kept_settings(second)), "a record keeps it"
    marks = re.findall(r"\*\*\* \(([0-9a-f]{8})\)", shown)
    assert len(set(marks)) == 2, f"two values look the same: {shown}"
    again = show(first, dockerrun(new + "x"))
    assert marks[0] in again, "one value has two marks"
    with serve(FakeContainers()) as served:
        api = Layer0Api(Layer0Settings(served.url, served.token))
        made = api.create_deploy("d", second.to_bytes())
        stored = api.read_deploy(made.deploy_id).dockerrun
        assert stored is not None
        assert new in stored.decode(), "the deploy was sent with another value"


@row(
    10,
    "secrets in a Dockerrun's environment, by their names and by what they look like",
    tries=100,
    quick=10,
    control=lambda at: _in_dockerrun(at, _plain_diff),
)
def in_dockerrun(at: Attempt) -> None:
    """Shown as marks that tell equal from different; sent as they are."""
    _in_dockerrun(at, _kit_diff)


@leaving_sockets()
def _in_image(at: Attempt, *, kit: bool) -> None:
    secret = canaries.make(at.rng).replace("\\", "x").replace('"', "y")
    how = at.rng.choice(("argument", "default", "file")) if kit else "argument"
    text = {
        "argument": "FROM busybox\nARG API_TOKEN\nRUN echo $API_TOKEN > /token; rm /token\n",
        "default": f"FROM busybox\nENV API_TOKEN={base64.b64encode(secret.encode()).decode()}\nRUN true\n",
        "file": "FROM busybox\nCOPY .env /\nRUN rm /.env\n",
    }[how]
    (at.folder / "Dockerfile").write_text(text)
    (at.folder / ".env").write_text(f"TOKEN={secret}\n")
    with mock.patch.dict(os.environ, environ_of(at)), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        engine = DockerEngine()
        client = engine._connection.client
        to = FakeConnections(World())
        to.engine = engine  # type: ignore[assignment]
        name = f"faults/{short_name(at)}"
        try:
            if kit:
                given_args = {"API_TOKEN": secret} if how == "argument" else {}
                try:
                    perform(BuildImage(at.folder, name=name, build_args=given_args), make_outside(to))
                except InputError as error:
                    assert secret not in f"{error} {error.hint}"
                    told_of = True
                else:
                    texts = [str(each.message) for each in told]
                    assert not any(secret in each for each in texts)
                    told_of = any("Dockerfile: line 2" in each for each in texts)
                assert told_of, f"{how}: nobody was told"
            else:
                client.images.build(
                    path=str(at.folder), tag=name, buildargs={"API_TOKEN": secret}, rm=True, forcerm=True
                )
            if how == "argument" and client.images.list(name):
                history = json.dumps(client.images.get(name).history())
                assert not canaries.hits(secret, [history]), "in its history"
        finally:
            for image in client.images.list(name):
                client.images.remove(image.id, force=True)
            client.close()


@row(
    11,
    "secrets in images: a build argument, ARG and ENV in the Dockerfile, a copied .env",
    tries=30,
    quick=3,
    control=lambda at: _in_image(at, kit=False),
)
def in_image(at: Attempt) -> None:
    """An argument is refused before the build, the others are warned of before any push; the history stays clean."""
    _in_image(at, kit=True)
