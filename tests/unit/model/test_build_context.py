"""What a build sends to the engine, read from disk."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from ecr_widgets.errors import BuildError, BuildRefused
from ecr_widgets.model.build_context import BuildContext, find_context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A context with a Dockerfile and one file."""
    made = tmp_path / "context"
    made.mkdir()
    (made / "Dockerfile").write_text("FROM scratch\n")
    (made / "kept").write_text("kept")
    return made


def names(context: BuildContext) -> list[str]:
    return [each.name for each in context.sent()]


def archive(context: BuildContext) -> tuple[str, tarfile.TarFile]:
    name, pieces = context.archive()
    return name, tarfile.open(fileobj=io.BytesIO(b"".join(pieces)))


def content(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def test_a_dockerfile_in_the_home_folder_is_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Dockerfile that is named by `~` is in the user's home and not in the context."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").write_text("FROM scratch\n")
    assert find_context(folder, "~/mine").dockerfile == tmp_path / "mine"


def test_what_the_ignore_file_names_is_not_sent(folder: Path) -> None:
    """Ignored files, and folders that contain only such files, are not sent; a folder with an exception in it is."""
    for path in ("out/a", "out/b", "gone/a", "empty/"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).mkdir() if path.endswith("/") else (folder / path).write_text("")
    (folder / ".dockerignore").write_bytes(b"\xef\xbb\xbfout\ngone\n!out/b\n.dockerignore\n")
    assert names(find_context(folder, "Dockerfile")) == ["Dockerfile", "empty", "kept", "out", "out/b"]


def test_an_ignore_file_of_the_dockerfiles_own_replaces_the_contexts(folder: Path) -> None:
    """An ignore file named after the Dockerfile, beside it, replaces the context's, even outside the context."""
    (folder / ".dockerignore").write_text("kept")
    assert names(find_context(folder, "Dockerfile")) == [".dockerignore", "Dockerfile"]
    (folder / "Dockerfile.dockerignore").write_text("Dockerfile*\n.dockerignore\n")
    assert names(find_context(folder, "Dockerfile")) == ["kept"]
    (folder.parent / "D").write_text("FROM scratch\n")
    (folder.parent / "D.dockerignore").write_text("*\n!Dockerfile\n")
    assert names(find_context(folder, "../D")) == ["Dockerfile"]


def test_links_pipes_and_devices_are_sent_as_what_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links are sent as links and pipes as pipes, without following or reading them; sockets are left out."""
    monkeypatch.chdir(folder)
    (folder / "link").symlink_to("kept")
    (folder / "away").symlink_to("/etc")
    (folder / "dangling").symlink_to("nowhere")
    os.link(folder / "kept", folder / "second")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    _, tar = archive(find_context(folder, "Dockerfile"))
    kinds = {each.name: each.linkname if each.issym() else each.type for each in tar}
    assert kinds == {
        "Dockerfile": tarfile.REGTYPE,
        "away": "/etc",
        "dangling": "nowhere",
        "kept": tarfile.REGTYPE,
        "link": "kept",
        "pipe": tarfile.FIFOTYPE,
        "second": tarfile.REGTYPE,
    }


def test_owners_are_left_out_and_modes_are_kept(folder: Path) -> None:
    """Modes are kept, and owners are replaced by root, as docker does."""
    (folder / "kept").chmod(0o751)
    _, tar = archive(find_context(folder, "Dockerfile"))
    kept = tar.getmember("kept")
    assert (kept.mode, kept.uid, kept.gid, kept.uname) == (0o751, 0, 0, "")


def test_a_file_that_grows_while_it_is_sent_is_sent_as_it_was(folder: Path) -> None:
    """A file that grows while it is sent is sent with its first length, so that the archive stays valid."""
    name, sending = find_context(folder, "Dockerfile").archive()
    sent = b""
    for piece in sending:
        sent += piece
        if name.encode() in piece:
            (folder / name).write_text("FROM scratch\nLABEL more=1\n")
    with tarfile.open(fileobj=io.BytesIO(sent)) as tar:
        assert content(tar, name) == b"FROM scratch\n"


def test_a_file_that_shrinks_while_it_is_sent_ends_the_build(folder: Path) -> None:
    """A file that shrinks while it is sent makes the build fail."""
    _, sending = find_context(folder, "Dockerfile").archive()
    assert b"Dockerfile" in next(sending)
    (folder / "Dockerfile").write_text("F")
    with pytest.raises(BuildError, match="became shorter"):
        list(sending)


def test_a_dockerfile_that_is_ignored_travels_with_the_file_that_says_so(folder: Path) -> None:
    """An ignored Dockerfile is sent together with `.dockerignore`, from which the builder removes it again."""
    (folder / ".dockerignore").write_text("Dockerfile\n")
    name, tar = archive(find_context(folder, "Dockerfile"))
    assert (name, sorted(tar.getnames())) == ("Dockerfile", [".dockerignore", "Dockerfile", "kept"])


@pytest.mark.parametrize("how", ["outside", "by its own ignore file", "both ignored"])
def test_a_dockerfile_that_no_copy_may_see_travels_under_another_name(folder: Path, how: str) -> None:
    """A Dockerfile that COPY must not see is sent under another name, with an ignore file that hides both."""
    dockerfile = "Dockerfile"
    if how == "outside":
        (folder / "Dockerfile").rename(folder.parent / "D")
        dockerfile = str(folder.parent / "D")
    elif how == "both ignored":
        (folder / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    else:
        (folder / "Dockerfile.dockerignore").write_text("Dockerfile*\n")
    name, tar = archive(find_context(folder, dockerfile))
    assert content(tar, name) == b"FROM scratch\n"
    assert content(tar, ".dockerignore").decode().split() == [".dockerignore", name]
    assert set(tar.getnames()) == {name, ".dockerignore", "kept"}


def test_what_only_buildkit_can_hide_is_refused(folder: Path) -> None:
    """A hidden Dockerfile beside a visible `.dockerignore` is refused, as only BuildKit can build it."""
    (folder / ".dockerignore").write_text("other\n")
    (folder / "Dockerfile.dockerignore").write_text("Dockerfile*\n")
    with pytest.raises(BuildRefused, match="docker-buildx"):
        archive(find_context(folder, "Dockerfile"))


def test_a_bit_that_the_classic_builder_drops_is_refused(folder: Path) -> None:
    """A file with a set-user-ID bit is refused, since the classic builder would drop the bit."""
    (folder / "kept").chmod(0o4755)
    with pytest.raises(BuildRefused, match="'kept' of the build context has its set-user-ID bit"):
        archive(find_context(folder, "Dockerfile"))


@pytest.mark.parametrize(
    ("context", "dockerfile", "told"),
    [
        ("nowhere", "Dockerfile", "is not a folder"),
        ("https://code.example/x.git", "Dockerfile", "fetch it into a folder first"),
        ("-", "Dockerfile", "standard input"),
        (".", "Dockerfile.none", "no Dockerfile 'Dockerfile.none'"),
        (".", "link", "links to a file outside its folder"),
        (".", "sub", "no Dockerfile 'sub'"),
    ],
)
def test_what_is_no_context_is_refused_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, context: str, dockerfile: str, told: str
) -> None:
    """An unusable context or Dockerfile is refused with the reason."""
    monkeypatch.chdir(folder)
    (folder / "link").symlink_to("../outside")
    (folder / "sub").mkdir()
    (folder.parent / "outside").write_text("FROM scratch\n")
    with pytest.raises(BuildRefused, match=told):
        find_context(Path(context), dockerfile)


def test_a_dockerfile_in_small_letters_is_found(folder: Path) -> None:
    """A file `dockerfile` is used if no `Dockerfile` exists, but not for another name."""
    (folder / "Dockerfile").rename(folder / "dockerfile")
    assert find_context(folder, "Dockerfile").dockerfile.name == "dockerfile"
    with pytest.raises(BuildRefused):
        find_context(folder, "Containerfile")


def test_an_ignore_file_that_cannot_be_used_names_its_line(folder: Path) -> None:
    """An invalid ignore file is an error with the line, and an unreadable one is an error."""
    (folder / ".dockerignore").write_text("a\nb[\n")
    with pytest.raises(BuildRefused, match=r"\.dockerignore' cannot be used: line 2: 'b\['"):
        names(find_context(folder, "Dockerfile"))
    (folder / ".dockerignore").unlink()
    (folder / ".dockerignore").mkdir()
    with pytest.raises(BuildRefused, match="cannot be read"):
        names(find_context(folder, "Dockerfile"))


@pytest.mark.timeout(60)
def test_an_ignore_file_that_is_a_fifo_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Nobody writes to it, so reading it would never end."""
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    os.mkfifo(tmp_path / ".dockerignore")
    with pytest.raises(BuildRefused, match="not a regular file"):
        find_context(tmp_path, "Dockerfile").archive()
