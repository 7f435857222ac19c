"""Notify that a run failed: the user's command or webhook gets the run's summary as JSON."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3

from ecr_widgets.adapters.http import EnvironmentPools
from ecr_widgets.adapters.programs import run_in_time
from ecr_widgets.model.loopback import is_loopback

_LONGEST_S = 30.0


def notify(summary: Mapping[str, Any], *, command: str = "", url: str = "") -> tuple[str, ...]:
    """Send the summary to the given command and address; a failed notice does not change the run's outcome.

    Args:
        summary: The run as `run --json` prints it; it holds no secrets, since it is read from the saved run.

        command: Program and arguments, quoted as for a shell but run without one; gets the summary on standard input.

        url: Address to post it to. It may hold a secret, so only its host is ever shown.

    Returns:
        What went wrong, one line each.
    """
    body = json.dumps(summary, ensure_ascii=False).encode()
    problems = []
    if command:
        problems.append(_run(command, body))
    if url:
        problems.append(_post(url, body))
    return tuple(problem for problem in problems if problem)


def _run(command: str, body: bytes) -> str:
    try:
        words = shlex.split(command)
        words[0] = os.path.expanduser(words[0])  # noqa: PTH111 -- a Path drops the ./ of a program
        done = run_in_time(words, longest_s=_LONGEST_S, given=body)
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        return f"the notice could not be sent: {type(error).__name__} {error}"
    return (
        ""
        if done.returncode == 0
        else f"the notice's command {words[0]!r} ended with exit code {done.returncode}"
    )


def _post(url: str, body: bytes) -> str:
    where = urlsplit(url)
    if where.scheme != "https" and not (where.scheme == "http" and is_loopback(where.netloc)):
        return "the notice was not sent: the address must begin with https://"
    try:
        answer = EnvironmentPools().request(
            "POST",
            url,
            body=body,
            headers={"Content-Type": "application/json"},
            timeout=_LONGEST_S,
            retries=urllib3.Retry(total=2, redirect=0, backoff_factor=0.2),
        )
    except urllib3.exceptions.HTTPError as error:
        # The error's text would show the whole address.
        return f"the notice did not reach {where.hostname}: {type(error).__name__}"
    return "" if answer.status < 300 else f"{where.hostname} answered {answer.status} to the notice"
