"""The state file, the lock beside it, and what a sandbox says from the state alone."""

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
    """The state of a sandbox that is up, with this process for its supervisor."""
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
    """A state survives the file unchanged, process identities included."""
    write_state(tmp_path / "state.json", state)

    assert read_state(tmp_path / "state.json") == state


def test_only_the_owner_can_read_it(tmp_path: Path, state: SandboxState) -> None:
    """The file is 0600 under any umask, also where an older one was readable by all."""
    file = tmp_path / "state.json"
    file.with_name("state.json.new").touch(mode=0o666)
    before = os.umask(0)
    try:
        write_state(file, state)
    finally:
        os.umask(before)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_reader_sees_the_old_or_the_new(tmp_path: Path, state: SandboxState) -> None:
    """A write replaces the file: who has the old one open goes on reading the old one in full."""
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
    """A missing file, or a missing folder, reads as no state."""
    assert read_state(tmp_path / "state.json") is None
    assert read_state(tmp_path / "missing" / "state.json") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff\xfe"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    """What is no state file gives one error that names the file."""
    (tmp_path / "state.json").write_bytes(content)

    with pytest.raises(SettingsError, match=r"state\.json"):
        read_state(tmp_path / "state.json")


def test_another_version_is_refused(tmp_path: Path, state: SandboxState) -> None:
    """The state of a newer program is not guessed at."""
    write_state(tmp_path / "state.json", replace(state, version=2))

    with pytest.raises(SettingsError, match="version 2"):
        read_state(tmp_path / "state.json")


def test_a_pid_given_out_again_is_another_process(state: SandboxState) -> None:
    """A process with our pid and another start time, or another boot, is not alive in our eyes."""
    me = state.supervisor

    assert me.alive()
    assert not replace(me, started_ticks=me.started_ticks + 1).alive()
    assert not replace(me, boot_id="another").alive()
    assert replace(me, started_ticks=me.started_ticks + 1).wait(0)


def test_a_zombie_is_not_alive() -> None:
    """A process that ended counts as gone before its parent has asked for its exit code."""
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity is not None
        assert not identity.wait(0)
        process.kill()
        assert identity.wait(10)
        assert not identity.alive()


def test_one_holder_of_the_lock(tmp_path: Path) -> None:
    """The lock is held once, and free again when its descriptor closes."""
    folder = SandboxFolder(tmp_path)
    held = folder.lock()
    assert held is not None
    assert folder.lock() is None
    os.close(held)
    again = folder.lock()
    assert again is not None
    os.close(again)


def test_a_removed_lock_guards_nothing(tmp_path: Path) -> None:
    """After the holder removed the folder's lock another can take a new one, while the old is still open."""
    folder = SandboxFolder(tmp_path)
    old = folder.lock()
    folder.remove(())
    new = folder.lock()

    assert old is not None
    assert new is not None
    os.close(old)
    os.close(new)


def test_made_folders_go_others_stay(tmp_path: Path) -> None:
    """Removal takes the folders that were made, innermost first, and none that stood before."""
    folder = SandboxFolder(tmp_path / "a" / "b")
    made = folder.make()
    assert made == (str(tmp_path / "a"), str(tmp_path / "a" / "b"))
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.remove(made)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_made_meanwhile_is_another_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that another start makes between our look and ours is used, and not ours to remove."""
    mkdir = Path.mkdir

    def late(path: Path, mode: int) -> None:
        mkdir(path, mode)
        if path.name == "a":
            raise FileExistsError(path)

    monkeypatch.setattr(Path, "mkdir", late)

    assert SandboxFolder(tmp_path / "a" / "b").make() == (str(tmp_path / "a" / "b"),)


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    """A folder that holds anything but a sandbox is left alone, by name of what it holds."""
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(SettingsError, match=r"thesis\.tex"):
        SandboxFolder(tmp_path).make()
    Sandbox(tmp_path).stop()
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_default_folder_follows_xdg() -> None:
    """XDG_STATE_HOME is used where it is absolute, as the specification says."""
    assert default_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/ecr-widgets/sandbox")
    assert default_folder({"XDG_STATE_HOME": "s"}) == Path.home() / ".local/state/ecr-widgets/sandbox"
    assert default_folder({}) == Path.home() / ".local/state/ecr-widgets/sandbox"


def test_env_holds_the_standard_variables(tmp_path: Path, state: SandboxState) -> None:
    """`env` gives the standard variables and no other."""
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
    """A profile, a session token, an endpoint of one service or a Docker context of the user does not get in."""
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
    """Where a proxy is set, this machine's loopback is exempt from it."""
    write_state(tmp_path / "state.json", state)
    merged = Sandbox(tmp_path).environ({"https_proxy": "", "HTTP_PROXY": "http://p:1", "NO_PROXY": "intern"})

    assert merged["NO_PROXY"] == "intern,127.0.0.1"
    assert merged["no_proxy"] == "127.0.0.1"


def test_status_tells_where_it_answers(tmp_path: Path, state: SandboxState) -> None:
    """A status is up, names the private engine, and describes every address, but no secret."""
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
    """A state whose supervisor is gone is down and gives no addresses."""
    gone = replace(state.supervisor, started_ticks=1)
    write_state(tmp_path / "state.json", replace(state, supervisor=gone))

    assert Sandbox(tmp_path).status().phase is Phase.DOWN
    assert Sandbox(tmp_path).status().registry_host is None
    with pytest.raises(EcrWidgetsError, match="sandbox up"):
        Sandbox(tmp_path).env()


def test_a_status_costs_no_library() -> None:
    """Asking after a sandbox imports neither a server nor a client library."""
    program = "import sys; from ecr_widgets.sandbox import Sandbox; Sandbox().status; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert not {"moto", "tornado", "docker", "boto3", "asyncio"} & set(done.stdout.split())


def test_elsewhere_than_on_linux_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Mac is told what to do instead, before anything is made; asking and stopping work there."""
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
    """Nothing is ended, removed, started or told from such a state: `down`, `up`, `status` and `env` refuse it."""
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
            with pytest.raises(SettingsError, match=r"not believed|cannot be read"):
                act()
        assert victim.poll() is None
        assert kept.is_dir()
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_another_accounts_folder_is_not_used(tmp_path: Path) -> None:
    """Its owner could put other files in their place while the sandbox runs."""
    tmp_path.chmod(0o700)
    os.chown(tmp_path, 61001, 61001)
    with pytest.raises(SettingsError, match="belongs to another account"):
        SandboxFolder(tmp_path).make()
