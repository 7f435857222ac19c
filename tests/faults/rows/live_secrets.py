"""Part A on the sandbox: the secrets that a run really gets, under debug logging and careless cells."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

from tests.faults.books import Ran, ours, stock
from tests.faults.plan import Attempt, row
from tests.faults.rows.replies import environ_of
from tests.faults.rows.secret_texts import none_readable

DEBUG = "import boto3, logging\nboto3.set_stream_logger('')\nlogging.getLogger().setLevel(logging.DEBUG)"
KIT = (
    "from ecr_widgets import connect\nkit = connect()\nkit.check_target(environment='demo')\n"
    "token = kit._outside.session.token()\nuser, password, registry = token.user, token.password, token.registry"
)
BARE = (
    "import base64, boto3\n"
    "told = boto3.client('ecr').get_authorization_token()['authorizationData'][0]\n"
    "user, password = base64.b64decode(told['authorizationToken']).decode().split(':')\n"
    "registry = told['proxyEndpoint'].removeprefix('http://')"
)
KEEP = "open('../password', 'w').write(password) and None"
LOGIN = "import docker\nclient = docker.from_env()\nclient.login(user, password, registry=registry)"


def _nothing_shown(at: Attempt, run: Callable[..., Ran], *sources: str) -> None:
    folder = at.folder / "run"
    folder.mkdir()
    environ = environ_of(at)
    ran = run(folder, *sources, environ=environ)
    assert ran.exit_code == 0 or run is stock, ran.stderr[-500:]
    password = (at.folder / "password").read_text()
    none_readable(folder, ran, [password, environ["LAYER0_AUTH_TOKEN"]])


@row(
    6,
    "boto3, urllib3 and docker logging at DEBUG while the kit logs in",
    tries=50,
    quick=1,
    control=lambda at: _nothing_shown(at, stock, DEBUG, BARE, KEEP),
)
def debugged(at: Attempt) -> None:
    """Neither the registry's password nor Layer0's token is in what the loggers wrote."""
    _nothing_shown(at, ours, DEBUG, KIT, KEEP)


@row(
    7,
    "docker-py's login called bare, twice, and its configuration shown",
    tries=20,
    quick=1,
    control=lambda at: _nothing_shown(at, stock, BARE, KEEP, LOGIN, LOGIN, "client.api._auth_configs"),
)
def bare_login(at: Attempt) -> None:
    """What the second call gives back is the password, and it is masked."""
    _nothing_shown(at, ours, KIT, KEEP, LOGIN, LOGIN, "client.api._auth_configs")


def _stale_login(at: Attempt, *, kit: bool) -> None:
    """A push while the user's own configuration holds an old login for the very registry."""
    environ = environ_of(at)
    folder = at.folder / "run"
    folder.mkdir()
    config = Path(environ["DOCKER_CONFIG"])
    config.mkdir()
    name = f"faults/stale{at.rng.randint(0, 10**9)}"
    # There before the run begins, whose own configuration starts as the user's.
    old = base64.b64encode(b"AWS:stale-password").decode()
    auths = {str(at.sandbox().status().registry_host): {"auth": old}}
    (config / "config.json").write_text(json.dumps({"auths": auths}))
    prepare = BARE + f"\nboto3.client('ecr').create_repository(repositoryName='{name}')"
    push = (
        "from ecr_widgets import connect\nkit = connect()\n"
        "image = kit.build_image('.', name='faults/stale')\n"
        f"kit.push_image(image, repository='{name}', tag='1')"
        if kit
        else "import docker\nclient = docker.from_env()\nbuilt, _ = client.images.build(path='.', tag='faults/stale')\n"
        f"built.tag(registry + '/{name}', tag='1')\nclient.login(user, password, registry=registry)\n"
        f"text = client.images.push(registry + '/{name}', tag='1')\nassert 'error' not in text, text"
    )
    (folder / "Dockerfile").write_text(f"FROM busybox\nLABEL stale={name}\n")
    ran = ours(folder, prepare, push, environ=environ)
    assert ran.exit_code == 0, ran.stderr[-400:]
    assert json.loads((config / "config.json").read_text())["auths"] == auths, (
        "the user's configuration was changed"
    )


@row(
    35,
    "an old login for the registry in the user's Docker configuration",
    tries=50,
    quick=1,
    control=lambda at: _stale_login(at, kit=False),
)
def stale_login(at: Attempt) -> None:
    """The kit's own token is used, and the old login is left where it is."""
    _stale_login(at, kit=True)
