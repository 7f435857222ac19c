"""Which engine is used, by each rule of the docker command in turn."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.settings import engine_address
from ecr_widgets.settings.engine_address import EngineTls, find_engine_address

WORK = "unix:///run/other/docker.sock"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Docker configuration, on a machine without any socket."""
    monkeypatch.setattr(engine_address, "DEFAULT_SOCKET", tmp_path / "default.sock")
    monkeypatch.setattr(engine_address, "PODMAN_SOCKET", tmp_path / "podman.sock")
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


def add_context(config: Path, name: str, host: str = WORK, *, skip: bool = False, tls: bool = False) -> Path:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": skip}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
    folder = config / "contexts" / "tls" / key / "docker"
    if tls:
        folder.mkdir(parents=True)
        for each in ("ca.pem", "cert.pem", "key.pem"):
            (folder / each).touch()
    return folder


def use(config: Path, name: object) -> None:
    (config / "config.json").write_text(json.dumps({"currentContext": name}))


def asked(config: Path, **environ: str) -> str:
    return str(find_engine_address({"DOCKER_CONFIG": str(config)} | environ))


def test_the_rules_are_tried_in_the_docker_commands_order(config: Path) -> None:
    """DOCKER_HOST comes first, then DOCKER_CONTEXT, the current context and the default; empty variables do not count."""
    default = f"unix://{engine_address.DEFAULT_SOCKET}"
    assert asked(config) == default
    add_context(config, "work")
    use(config, "work")
    assert asked(config) == f"{WORK} (current context 'work')"
    add_context(config, "other", "tcp://192.0.2.1:2375")
    assert asked(config, DOCKER_CONTEXT="other") == "tcp://192.0.2.1:2375 (context 'other' of DOCKER_CONTEXT)"
    assert asked(config, DOCKER_CONTEXT="default") == default
    named = asked(config, DOCKER_CONTEXT="nobody", DOCKER_HOST="unix:///run/named.sock")
    assert named == "unix:///run/named.sock (DOCKER_HOST)"
    assert asked(config, DOCKER_CONTEXT="", DOCKER_HOST="") == f"{WORK} (current context 'work')"


def test_the_configuration_is_below_home_where_no_variable_names_it(config: Path) -> None:
    """Without DOCKER_CONFIG, the configuration is in `.docker` below the home folder."""
    home = config.parent / "home"
    (home / ".docker").mkdir(parents=True)
    add_context(home / ".docker", "work")
    use(home / ".docker", "work")
    assert find_engine_address({"HOME": str(home)}).host == WORK


@pytest.mark.parametrize("named_by", ["variable", "config"])
def test_a_context_that_does_not_exist_is_an_error_in_words(config: Path, named_by: str) -> None:
    """A context that does not exist is an error, and no other engine is used."""
    if named_by == "config":
        use(config, "gone")
    with pytest.raises(SettingsError, match=r"context 'gone'.* does not exist .*docker context ls"):
        asked(config, **({"DOCKER_CONTEXT": "gone"} if named_by == "variable" else {}))


@pytest.mark.parametrize(
    "write",
    [
        lambda config: (config / "config.json").write_text("{"),
        lambda config: (config / "config.json").write_text("[]"),
        lambda config: (config / "config.json").mkdir(),
        lambda config: use(config, 7),
        lambda config: (config / "config.json").write_text("[" * 100_000),
        lambda config: (add_context(config, "odd", host="npipe://x"), use(config, "odd")),
        lambda config: (
            add_context(config, "odd"),
            next(config.rglob("meta.json")).write_text('{"Endpoints": {"docker": 7}}'),
            use(config, "odd"),
        ),
    ],
    ids=["no-json", "no-object", "folder", "number", "deep", "windows", "odd-endpoint"],
)
def test_settings_that_cannot_be_used_are_no_traceback(config: Path, write) -> None:
    """An unusable configuration file or context is an error that names it."""
    write(config)
    with pytest.raises(SettingsError, match=r"config\.json|context"):
        asked(config)


@pytest.mark.parametrize(
    "host",
    [
        "npipe:////./pipe/docker",
        "fd://",
        "tcp://",
        "tcp://:2375",
        "tcp://host:port",
        "tcp://[::1",
        "ftp://host",
        "/run/docker.sock",
        "unix:/run/docker.sock",
        "unix://run/docker.sock",
        "unix:///run/docker\n.sock",
        "tcp://host name:2375",
        "tcp://a..b:2375",
        "tcp://host:0",
        "tcp://host:2375?a=1",
        "ssh://",
        "tcp://admin:pass-word-7@host:2375",
        "ssh://admin:pass-word-7@host",
    ],
)
def test_an_address_that_is_none_is_refused_and_no_password_repeated(config: Path, host: str) -> None:
    """An invalid address is refused; the error names the variable and does not show a password."""
    with pytest.raises(SettingsError, match="DOCKER_HOST") as caught:
        asked(config, DOCKER_HOST=host)
    assert "pass-word-7" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("unix://", "unix://DEFAULT"),
        ("http+unix:///run/x.sock", "unix:///run/x.sock"),
        ("192.0.2.1:2375", "tcp://192.0.2.1:2375"),
        ("tcp://192.0.2.1", "tcp://192.0.2.1:2375"),
        ("tcp://[2001:db8::1]:2375/", "tcp://[2001:db8::1]:2375"),
        ("http://192.0.2.1:80", "tcp://192.0.2.1:80"),
        (" ssh://me@host:22 ", "ssh://me@host:22"),
        ("ssh://Me@[::1]/run/x.sock", "ssh://Me@[::1]/run/x.sock"),
        ("ssh://host/", "ssh://host"),
        ("tcp://[fe80::1%eth0]:2375", "tcp://[fe80::1%eth0]:2375"),
    ],
)
def test_one_spelling_of_each_address(config: Path, host: str, told: str) -> None:
    """Each spelling of an address that docker accepts gives one canonical address."""
    expected = told.replace("DEFAULT", str(engine_address.DEFAULT_SOCKET))
    assert find_engine_address({"DOCKER_HOST": host, "DOCKER_CONFIG": str(config)}).host == expected


def test_certificates_come_with_the_context(config: Path) -> None:
    """A context's certificates are used, and verified unless the context says otherwise."""
    folder = add_context(config, "safe", "tcp://192.0.2.1:2376", tls=True)
    found = find_engine_address({"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "safe"})
    assert found.tls == EngineTls(folder, verify=True)
    assert found.tls.authority == folder / "ca.pem"
    assert found.tls.client == (folder / "cert.pem", folder / "key.pem")
    (folder / "key.pem").unlink()
    assert found.tls.client is None
    add_context(config, "lax", "tcp://192.0.2.1:2376", skip=True)
    lax = find_engine_address({"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "lax"})
    assert lax.tls is not None
    assert not lax.tls.verify


def test_certificates_of_variables_belong_to_docker_host_alone(config: Path) -> None:
    """DOCKER_TLS_VERIFY and DOCKER_CERT_PATH apply to DOCKER_HOST, whose port stays 2375, and not to a context."""
    secured = {"DOCKER_CONFIG": str(config), "DOCKER_TLS_VERIFY": "1"}
    named = find_engine_address(secured | {"DOCKER_HOST": "tcp://192.0.2.1", "DOCKER_CERT_PATH": "/certs"})
    assert (named.host, named.tls) == ("tcp://192.0.2.1:2375", EngineTls(Path("/certs"), verify=True))
    assert find_engine_address(secured | {"DOCKER_HOST": "tcp://192.0.2.1"}).tls == EngineTls(
        config, verify=True
    )
    add_context(config, "work")
    assert find_engine_address(secured | {"DOCKER_CONTEXT": "work"}).tls is None


def test_a_context_without_a_port_means_what_it_means_to_docker(config: Path) -> None:
    """A context's address without a port gets HTTP's port, or that of HTTPS with TLS, as docker 28.2 calls it; not 2375."""
    add_context(config, "bare", "tcp://192.0.2.1")
    add_context(config, "safe", "tcp://192.0.2.1", tls=True)
    for name, port in (("bare", 80), ("safe", 443)):
        found = find_engine_address({"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": name})
        assert found.host == f"tcp://192.0.2.1:{port}"


def test_a_child_process_asks_the_same_engine(config: Path) -> None:
    """A child process gets the found engine as DOCKER_HOST with its certificates, and no context."""
    folder = add_context(config, "safe", "tcp://192.0.2.1:2376", tls=True)
    base = {"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "safe", "DOCKER_TLS_VERIFY": "1", "KEPT": "1"}
    given = find_engine_address(base).environ(base)
    assert given == {
        "DOCKER_CONFIG": str(config),
        "KEPT": "1",
        "DOCKER_HOST": "tcp://192.0.2.1:2376",
        "DOCKER_CERT_PATH": str(folder),
        "DOCKER_TLS_VERIFY": "1",
    }
    assert find_engine_address(given | {"DOCKER_CONFIG": "/nowhere"}).host == "tcp://192.0.2.1:2376"


def test_sockets_of_rootless_engines_stand_in_for_a_missing_default(config: Path) -> None:
    """Without a default socket, rootless Docker's is used, else the user's Podman socket, else the system's."""
    own = config.parent / "runtime"
    (own / "podman").mkdir(parents=True)
    engine_address.PODMAN_SOCKET.touch()
    assert asked(config, XDG_RUNTIME_DIR=str(own)).startswith(
        f"unix://{engine_address.PODMAN_SOCKET} (Podman,"
    )
    (own / "podman" / "podman.sock").touch()
    assert asked(config, XDG_RUNTIME_DIR=str(own)).startswith(f"unix://{own}/podman/podman.sock (")
    (own / "docker.sock").touch()
    told = asked(config, XDG_RUNTIME_DIR=str(own))
    assert (
        told == f"unix://{own}/docker.sock (rootless Docker, as there is no {engine_address.DEFAULT_SOCKET})"
    )
    engine_address.DEFAULT_SOCKET.touch()
    assert asked(config, XDG_RUNTIME_DIR=str(own)) == f"unix://{engine_address.DEFAULT_SOCKET}"


def test_the_scripts_get_the_same_answer(config: Path) -> None:
    """As a command, it prints the address and exits with 0 if something is there, with 1 if not, and with 2 on an error."""

    def run(**environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ecr_widgets.settings.engine_address"],
            env={"DOCKER_CONFIG": str(config)} | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    add_context(config, "work")
    done = run(DOCKER_CONTEXT="work")
    assert (done.returncode, done.stdout) == (1, f"{WORK} (context 'work' of DOCKER_CONTEXT)\n")
    assert run(DOCKER_HOST="tcp://192.0.2.1:2375").returncode == 0
    gone = run(DOCKER_CONTEXT="gone")
    assert gone.returncode == 2
    assert gone.stderr.startswith("the engine is not known: context 'gone'")


@pytest.mark.parametrize("content", ["", " \n", "null", "{}", '{"currentContext": null}'])
def test_settings_without_content_are_none(config: Path, content: str) -> None:
    """As for docker, an empty configuration file and a null context name nothing."""
    (config / "config.json").write_text(content)
    assert asked(config) == f"unix://{engine_address.DEFAULT_SOCKET}"


@pytest.mark.parametrize("host", [7, ["unix:///run/docker.sock"], {"a": 1}], ids=["number", "list", "object"])
def test_a_contexts_address_is_a_text(config: Path, host: object) -> None:
    """A context whose address is not a text is refused."""
    add_context(config, "odd", host)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="context 'odd' of DOCKER_CONTEXT is not an address"):
        asked(config, DOCKER_CONTEXT="odd")


def test_another_users_folders_are_no_traceback(config: Path) -> None:
    """As after sudo: sockets in a folder that one may not enter do not count, and a context there cannot be read."""
    closed = config.parent / "closed"
    add_context(closed, "work")
    closed.chmod(0)
    # Root may enter every folder, unless it gives up its privileges.
    as_user = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

    def run(**environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*as_user, sys.executable, "-m", "ecr_widgets.settings.engine_address"],
            env={"DOCKER_CONFIG": str(config), "PATH": os.environ["PATH"]} | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    done = run(DOCKER_CONFIG=str(closed), DOCKER_CONTEXT="work")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "meta.json cannot be read: Permission denied" in done.stderr
    done = run(XDG_RUNTIME_DIR=str(closed))
    assert (done.returncode < 2, done.stderr) == (True, "")
    assert run(DOCKER_HOST=f"unix://{closed}/docker.sock").returncode == 1
    closed.chmod(0o700)
