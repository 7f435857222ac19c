"""`ecr-widgets lab`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.bucket_path import place_of
from ecr_widgets.model.paths import path_of
from ecr_widgets.model.user_folders import check_home
from ecr_widgets.settings import RUNS_VARIABLE


@click.command(name="lab", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[FOLDER] [OPTIONS OF JUPYTERLAB]...")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening a browser.")
def command(words: tuple[str, ...], *, no_browser: bool) -> None:
    """Open JupyterLab on FOLDER, a desk of your own  [default: desk].

    It has a start page, START.ipynb, with services, plans that wait and the latest runs; a form for each runbook; copies of the
    runbooks for you to edit; and the saved runs. A later release updates the runbooks that you have not edited.
    """
    from ecr_widgets.desk.folder import START, prepare, show_page
    from ecr_widgets.desk.page import look

    if find_spec("jupyterlab") is None:
        raise SettingsError("JupyterLab is not installed", hint="pip install 'ecr-widgets[lab]'")
    check_home()
    _check_folders_of_jupyter()
    named = bool(words) and not words[0].startswith("-")
    desk = prepare(path_of(words[0]) if named else Path("desk"))
    for path in desk.kept:
        click.echo(f"kept, since you changed it: {path}", err=True)
    runs = place_of(os.environ.setdefault(RUNS_VARIABLE, str(desk.runs.resolve())))
    click.echo("looking at services and runs for the start page …", err=True)
    show_page(desk, look(desk.folder, runs).bundle())
    paths = filter(None, (str(desk.jupyter_config.resolve()), os.environ.get("JUPYTER_CONFIG_PATH")))
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)
    click.echo(f"desk: {desk.folder.resolve()}", err=True)
    sys.stderr.flush()
    given = [
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={desk.folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{START}",
        *(["--no-browser"] if no_browser else []),
        *(["--allow-root"] if os.geteuid() == 0 else []),
        *words[named:],
    ]
    os.execv(sys.executable, [sys.executable, "-P", *given])  # noqa: S606 -- no shell is wanted


def _check_folders_of_jupyter() -> None:
    """Refuse to start JupyterLab where it would end with a traceback, as in a container whose user has the home `/`."""
    from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir, jupyter_runtime_dir

    for folder in map(Path, (jupyter_config_dir(), jupyter_data_dir(), jupyter_runtime_dir())):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"JupyterLab cannot keep its files in {str(folder)!r}: {error.strerror}",
                hint="set HOME to a folder that you can write",
            ) from error
