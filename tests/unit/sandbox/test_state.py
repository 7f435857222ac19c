"""The state file, its lock, and what a sandbox reports from the state alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ecr_widgets.errors import EcrWidgetsError, SettingsError
from ecr_widgets.sandbox import Sandbox
from ecr_widgets.sandbox.folder import SandboxFolder, default_folder
from ecr_widgets.sandbox.processes import ProcessIdentity
from ecr_widgets.sandbox.state import (
    Addresses,
    EngineTraces,
    Keys,
    Phase,
    SandboxState,
    read_state,
    write_state,
)


@pytest.fixture
def state() -> SandboxState:
    """The state of a sandbox that is up, with this process as its supervisor."""
    me = ProcessIdentity.of(os.getpid())
    assert me is not None
    return SandboxState(
        sandbox_id="ab12",
        phase=Phase.UP,
        supervisor=me,
        started_at="2030-01-02T03:04:05.000Z",
        keys=Keys(access_key_id="id", secret_access_key="a secret", layer0_token="a token"),
        docker_host="unix:///run/ecrw-ab12/docker.sock",
        private_engine=EngineTraces(
            run_folder="/run/ecrw-ab12", cgroup="ecrw-ab12", bridge="ecrw-ab12", init=me
        ),
        addresses=Addresses(
            api_url="http://127.0.0.1:1", registry_host="127.0.0.1:2", layer0_url="http://127.0.0.1:3"
        ),
    )


def test_what_is_written_is_read_again(tmp_path: Path, state: SandboxState) -> None:
    """A state that is written and read again is unchanged."""
    write_state(tmp_path / "state.json", state)

    assert read_state(tmp_path / "state.json") == state


def test_only_the_owner_can_read_it(tmp_path: Path, state: SandboxState) -> None:
    """The state file has mode 0600 under any umask, even if an older one was readable by all."""
    file = tmp_path / "state.json"
    file.with_name("state.json.new").touch(mode=0o666)
    before = os.umask(0)
    try:
        write_state(file, state)
    finally:
        os.umask(before)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_reader_sees_the_old_or_the_new(tmp_path: Path, state: SandboxState) -> None:
    """A reader with the old file open reads the whole old state while a new one is written."""
    file = tmp_path / "state.json"
    write_state(file, state)
    with file.open("rb") as old:
        write_state(file, replace(state, phase=Phase.ENGINE_DIED))
        (tmp_path / "copy").write_bytes(old.read())

    assert read_state(tmp_path / "copy") == state
    assert read_state(file) == replace(state, phase=Phase.ENGINE_DIED)


def test_secrets_do_not_show_in_a_repr(state: SandboxState) -> None:
    """Neither the secret access key nor Layer0's token is in the state's repr."""
    assert "a secret" not in repr(state)
    assert "a token" not in repr(state)


def test_no_file_is_no_state(tmp_path: Path) -> None:
    """A missing file or folder is read as no state."""
    assert read_state(tmp_path / "state.json") is None
    assert read_state(tmp_path / "missing" / "state.json") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    """A broken state file gives an error that names the file."""
    (tmp_path / "state.json").write_bytes(content)

    with pytest.raises(SettingsError, match=r"state\.json"):
        read_state(tmp_path / "state.json")


def test_another_version_is_refused(tmp_path: Path, state: SandboxState) -> None:
    """A state of another version is refused."""
    write_state(tmp_path / "state.json", replace(state, version=2))

    with pytest.raises(SettingsError, match="version 2"):
        read_state(tmp_path / "state.json")


def test_a_pid_given_out_again_is_another_process(state: SandboxState) -> None:
    """A process with the same pid but another start time or boot id counts as ended."""
    me = state.supervisor

    assert me.alive()
    assert not replace(me, started_ticks=me.started_ticks + 1).alive()
    assert not replace(me, boot_id="another").alive()
    assert replace(me, started_ticks=me.started_ticks + 1).wait(0)


def test_a_zombie_is_not_alive() -> None:
    """A process that has ended counts as gone even before its parent reaps it."""
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        assert not identity.wait(0)
        process.kill()
        assert identity.wait(10)
        assert not identity.alive()


def test_one_holder_of_the_lock(tmp_path: Path) -> None:
    """The lock can be held once, and is free again when its descriptor is closed."""
    folder = SandboxFolder(tmp_path)
    held = folder.lock()
    assert held is not None
    assert folder.lock() is None
    os.close(held)
    again = folder.lock()
    assert again is not None
    os.close(again)


def test_a_removed_lock_guards_nothing(tmp_path: Path) -> None:
    """After a folder is removed, its lock can be taken again while the old one is still open."""
    folder = SandboxFolder(tmp_path)
    old = folder.lock()
    folder.remove(())
    new = folder.lock()

    assert old is not None
    assert new is not None
    os.close(old)
    os.close(new)


def test_made_folders_go_others_stay(tmp_path: Path) -> None:
    """Removal deletes the folders that were made, and none that existed before."""
    folder = SandboxFolder(tmp_path / "a" / "b")
    made = folder.make()
    assert made == (str(tmp_path / "a"), str(tmp_path / "a" / "b"))
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.remove(made)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_made_meanwhile_is_another_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that another start creates at the same moment is used, but not counted as made by this one."""
    mkdir = Path.mkdir

    def late(path: Path, mode: int) -> None:
        mkdir(path, mode)
        if path.name == "a":
            raise FileExistsError(path)

    monkeypatch.setattr(Path, "mkdir", late)

    assert SandboxFolder(tmp_path / "a" / "b").make() == (str(tmp_path / "a" / "b"),)


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    """A folder with other files is refused, and its files are left alone."""
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(SettingsError, match=r"thesis\.tex"):
        SandboxFolder(tmp_path).make()
    Sandbox(tmp_path).stop()
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_default_folder_follows_xdg() -> None:
    """The default folder is below XDG_STATE_HOME if that is an absolute path, and below ~/.local/state otherwise."""
    assert default_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/ecr-widgets/sandbox")
    assert default_folder({"XDG_STATE_HOME": "s"}) == Path.home() / ".local/state/ecr-widgets/sandbox"
    assert default_folder({}) == Path.home() / ".local/state/ecr-widgets/sandbox"


def test_env_holds_the_standard_variables(tmp_path: Path, state: SandboxState) -> None:
    """`env` returns just the standard variables."""
    write_state(tmp_path / "state.json", state)

    assert Sandbox(tmp_path).env() == {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "a secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "DOCKER_HOST": "unix:///run/ecrw-ab12/docker.sock",
        "LAYER0_API_ENDPOINT": "http://127.0.0.1:3",
        "LAYER0_AUTH_TOKEN": "a token",
    }


def test_environ_leaves_nothing_that_points_elsewhere(tmp_path: Path, state: SandboxState) -> None:
    """`environ` removes all variables that point elsewhere, such as a profile, a session token or a Docker context."""
    write_state(tmp_path / "state.json", state)
    foreign = dict.fromkeys(
        (
            *("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL", "AWS_REGION"),
            *("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_HOST", "LAYER0_AUTH_TOKEN"),
        ),
        "elsewhere",
    )
    merged = Sandbox(tmp_path).environ({"HOME": "/home/me", **foreign})

    assert merged == {"HOME": "/home/me", **Sandbox(tmp_path).env()}


def test_environ_keeps_loopback_off_a_proxy(tmp_path: Path, state: SandboxState) -> None:
    """If a proxy is set, `environ` exempts this machine's loopback from it."""
    write_state(tmp_path / "state.json", state)
    merged = Sandbox(tmp_path).environ({"https_proxy": "", "HTTP_PROXY": "http://p:1", "NO_PROXY": "intern"})

    assert merged["NO_PROXY"] == "intern,127.0.0.1"
    assert merged["no_proxy"] == "127.0.0.1"


def test_status_tells_where_it_answers(tmp_path: Path, state: SandboxState) -> None:
    """The status shows that the sandbox is up, its engine and all addresses, but no secret."""
    write_state(tmp_path / "state.json", state)
    status = Sandbox(tmp_path).status()
    told = status.describe()

    assert status.up
    assert status.registry_host == "127.0.0.1:2"
    assert "private" in told
    assert all(address in told for address in ("http://127.0.0.1:1", "127.0.0.1:2", "http://127.0.0.1:3"))
    assert "a secret" not in told
    assert "a token" not in told


def test_no_supervisor_is_down(tmp_path: Path, state: SandboxState) -> None:
    """If its supervisor is gone, the sandbox is down and has no addresses."""
    gone = replace(state.supervisor, started_ticks=1)
    write_state(tmp_path / "state.json", replace(state, supervisor=gone))

    assert Sandbox(tmp_path).status().phase is Phase.DOWN
    assert Sandbox(tmp_path).status().registry_host is None
    with pytest.raises(EcrWidgetsError, match="sandbox up"):
        Sandbox(tmp_path).env()


def test_a_status_costs_no_library() -> None:
    """Asking for the status imports no server or client library."""
    program = "import sys; from ecr_widgets.sandbox import Sandbox; Sandbox().status; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not {"moto", "tornado", "docker", "boto3", "asyncio"} & set(done.stdout.split())


def test_elsewhere_than_on_linux_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Mac, starting is refused with a hint before anything is made; status and stop still work."""
    monkeypatch.setattr(sys, "platform", "darwin")
    sandbox = Sandbox(tmp_path / "state")
    with pytest.raises(SettingsError, match="needs Linux, and this is macOS") as refused:
        sandbox.start()
    assert "--network host" in str(refused.value.hint)
    assert sandbox.status().phase is Phase.DOWN
    sandbox.stop()
    assert not (tmp_path / "state").exists()


def _foreign_file(folder: Path) -> None:
    os.chown(folder / "state.json", 61001, 61001)


def _foreign_folder(folder: Path) -> None:
    os.chown(folder, 61001, 61001)


def _open_to_the_group(folder: Path) -> None:
    folder.chmod(0o770)


def _linked(folder: Path) -> None:
    (folder / "state.json").rename(folder.parent / "elsewhere")
    (folder / "state.json").symlink_to(folder.parent / "elsewhere")


def _linked_twice(folder: Path) -> None:
    (folder.parent / "elsewhere").hardlink_to(folder / "state.json")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_foreign_file, marks=pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")),
        pytest.param(_foreign_folder, marks=pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")),
        _open_to_the_group,
        _linked,
        _linked_twice,
    ],
)  # fmt: skip
def test_what_another_may_have_written_is_not_believed(
    tmp_path: Path, state: SandboxState, spoil: Callable[[Path], None]
) -> None:
    """If another account may have written the state, `down`, `up`, `status` and `env` refuse it and end or remove nothing."""
    victim = subprocess.Popen(["sleep", "60"])
    try:
        kept = tmp_path / "victim"
        kept.mkdir()
        folder = tmp_path / "box"
        folder.mkdir(mode=0o700)
        identity = ProcessIdentity.of(victim.pid)
        traces = EngineTraces(run_folder=str(kept), cgroup="none", launcher=identity, init=identity)
        assert identity is not None
        write_state(
            folder / "state.json", replace(state, supervisor=identity, private_engine=traces, was_up=False)
        )
        spoil(folder)
        sandbox = Sandbox(folder)
        for act in (sandbox.stop, sandbox.start, sandbox.status, sandbox.env):
            with pytest.raises(SettingsError, match=r"not trusted|cannot be read"):
                act()
        assert victim.poll() is None
        assert kept.is_dir()
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_another_accounts_folder_is_not_used(tmp_path: Path) -> None:
    """A folder that belongs to another account is refused."""
    tmp_path.chmod(0o700)
    os.chown(tmp_path, 61001, 61001)
    with pytest.raises(SettingsError, match="belongs to another account"):
        SandboxFolder(tmp_path).make()
