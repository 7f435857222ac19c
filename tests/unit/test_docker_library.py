"""docker-py as this package imports it."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
from ecr_widgets.docker_library import docker
from docker.transport import sshconn
print("paramiko" in sys.modules)
{use}
import paramiko
print(sshconn.paramiko.SSHClient is paramiko.SSHClient)
"""


@pytest.mark.parametrize("use", ["", "sshconn.paramiko.SSHClient", "import paramiko.client"])
def test_paramiko_is_imported_when_it_is_used(use: str) -> None:
    """Not with docker-py, and whoever else imports it gets the same module as docker-py has."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(use=use)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
