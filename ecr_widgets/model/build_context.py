"""What a build sends: a folder's files except the ignored ones, as docker sends them."""

from __future__ import annotations

import errno
import os
import re
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ecr_widgets.errors import BuildError, BuildRefused
from ecr_widgets.model.dockerfile import Dockerfile
from ecr_widgets.model.ignore_file import IgnoreFile, Look
from ecr_widgets.model.paths import exists, is_file, is_folder, path_of, why_unseen

_IGNORE_FILE = ".dockerignore"
_STAND_IN = ".dockerfile.sent-beside-the-context"
"""Name under which to send a Dockerfile that COPY must not see."""
_ADDRESS = re.compile(r"(https?|git|ssh):/|git@|github\.com/|-$")
_PIECE_BYTES = 1 << 18
_CAPABILITIES = "security.capability"


@dataclass(frozen=True, slots=True)
class Sent:
    """One file or folder in a context."""

    name: str
    """Path relative to the context, with slashes."""
    path: Path
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class BuildContext:
    """A folder to build from, with the Dockerfile that says how; see `find_context`."""

    folder: Path
    dockerfile: Path

    def read_dockerfile(self) -> Dockerfile:
        """Read and parse the Dockerfile.

        Raises:
            BuildRefused: It cannot be read.
        """
        return Dockerfile.parse(self.dockerfile_content())

    def dockerfile_content(self) -> bytes:
        """The Dockerfile as it is.

        Raises:
            BuildRefused: It cannot be read.
        """
        return _read(self.dockerfile)

    @property
    def name_in_context(self) -> str | None:
        """The Dockerfile's path in the context; None if it is outside."""
        try:
            return self.dockerfile.relative_to(self.folder).as_posix()
        except ValueError:
            return None

    def sent(self) -> Iterator[Sent]:
        """Files and folders sorted by name, each folder before its contents.

        An ignored folder is included if something in it is not ignored.

        Raises:
            BuildRefused: A folder or the ignore file cannot be read, or the ignore file has an invalid pattern.
        """
        yield from _walk(self.folder, "", self.ignored(), Look())

    def ignored(self) -> IgnoreFile:
        """The patterns of what is not sent.

        Raises:
            BuildRefused: The ignore file cannot be read, or has an invalid pattern.
        """
        ignore_file = next((path for path in self.ignore_files if exists(path)), None)
        return IgnoreFile() if ignore_file is None else _parsed(ignore_file)

    @property
    def ignore_files(self) -> tuple[Path, Path]:
        """Where an ignore file may be; the Dockerfile's own one replaces the context's."""
        own = self.dockerfile.with_name(f"{self.dockerfile.name}{_IGNORE_FILE}")
        return own, self.folder / _IGNORE_FILE

    def archive(self) -> tuple[str, Iterator[bytes]]:
        """The Dockerfile's name in the context, and the context as a tar for a builder that receives it whole.

        Such a builder does not know a Dockerfile's own ignore file. It hides the Dockerfile from COPY if the `.dockerignore`
        that it received says so; the same goes for the `.dockerignore` itself.

        Raises:
            BuildRefused: A file cannot be read (also while the tar is being made), or the builder could not build from it what
                BuildKit would.

            BuildError: A file became shorter while it was read.
        """
        sent = {each.name: each for each in self.sent()}
        for each in sent.values():
            _check_mode(each)
        own = self.name_in_context
        hidden = {own} - set(sent)
        name = own
        beside: dict[str, bytes] = {}
        if _IGNORE_FILE in sent:
            ignored = _parsed(self.folder / _IGNORE_FILE)
            if {each for each in (own, _IGNORE_FILE) if each and ignored.ignores(each)} != hidden:
                raise BuildRefused(
                    f"the classic builder cannot show {_IGNORE_FILE} to a COPY"
                    f" and {'hide' if hidden else 'show'} {str(self.dockerfile)!r}",
                    hint=f"install docker-buildx, or have {_IGNORE_FILE} ignored",
                )
            if own in hidden:
                beside[str(own)] = _read(self.dockerfile)
        elif hidden:
            name = _STAND_IN
            beside = {
                _IGNORE_FILE: f"{_IGNORE_FILE}\n{_STAND_IN}\n".encode(),
                _STAND_IN: _read(self.dockerfile),
            }
        return str(name), _tar(beside, sent.values())


def find_context(folder: Path, dockerfile: str) -> BuildContext:
    """Find the folder and the Dockerfile.

    Args:
        dockerfile: Path relative to the folder, or absolute; it may be outside the folder.

    Raises:
        BuildRefused: One of them is missing, or cannot be built from.
    """
    if not is_folder(folder):
        is_address = _ADDRESS.match(str(folder)) is not None
        raise BuildRefused(
            f"the build context {str(folder)!r} is not a folder{_why(folder)}",
            hint="fetch it into a folder first: git repositories, archives and standard input are not read"
            if is_address
            else "check the path",
        )
    path = Path(os.path.normpath(folder.absolute() / path_of(dockerfile)))
    if dockerfile == "Dockerfile" and not exists(path) and is_file(path.with_name("dockerfile")):
        path = path.with_name("dockerfile")
    if not is_file(path):
        raise BuildRefused(
            f"no Dockerfile {dockerfile!r} in the build context {str(folder)!r}{_why(path)}",
            hint="give its path relative to the context",
        )
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise BuildRefused(
            f"the Dockerfile {dockerfile!r} links to a file outside its folder, which builders do not follow",
            hint="name the file that it points to",
        )
    return BuildContext(Path(os.path.normpath(folder.absolute())), path)


def _why(path: Path) -> str:
    """Why nothing can be seen there, as the end of a sentence."""
    why = why_unseen(path)
    return f": {why}" if why else ""


def _walk(folder: Path, prefix: str, ignored: IgnoreFile, above: Look) -> Iterator[Sent]:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from error
    for name in names:
        path, inner = folder / name, f"{prefix}{name}"
        look = ignored.look(inner, above)
        try:
            status = path.lstat()
        except OSError as error:
            raise unreadable(path, error) from error
        if stat.S_ISDIR(status.st_mode):
            if look.is_ignored and not any(pattern.is_exception for pattern in ignored.patterns):
                continue
            below = _walk(path, f"{inner}/", ignored, look)
            if look.is_ignored:
                first = next(below, None)
                if first is None:
                    continue
                yield Sent(inner, path, status)
                yield first
            else:
                yield Sent(inner, path, status)
            yield from below
        elif not look.is_ignored and not stat.S_ISSOCK(status.st_mode):
            yield Sent(inner, path, status)


def _check_mode(sent: Sent) -> None:
    mode = sent.status.st_mode
    if stat.S_ISREG(mode) and mode & stat.S_ISUID:
        raise BuildRefused(
            f"{sent.name!r} of the build context has its set-user-ID bit set, which the classic builder drops",
            hint="install docker-buildx, or set the bit by a RUN chmod",
        )


def _tar(beside: Mapping[str, bytes], sent: Iterable[Sent]) -> Iterator[bytes]:
    """The tar, made piece by piece while it is sent: it is never held on disk or in memory."""
    for name, content in beside.items():
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o644
        yield _header(info) + content + _padding(len(content))
    for each in sent:
        try:
            yield from _entry(each)
        except OSError as error:
            raise unreadable(each.path, error) from error
    yield bytes(2 * tarfile.BLOCKSIZE)


def _entry(sent: Sent) -> Iterator[bytes]:
    mode = sent.status.st_mode
    info = tarfile.TarInfo(sent.name)
    info.mode, info.mtime = stat.S_IMODE(mode), int(sent.status.st_mtime)
    if stat.S_ISREG(mode):
        with sent.path.open("rb", buffering=0) as file:
            left = info.size = os.fstat(file.fileno()).st_size
            info.pax_headers = _capabilities(sent.path)
            yield _header(info)
            # Its length is already in the header: anything added to the file meanwhile is not sent.
            while left and (piece := file.read(min(left, _PIECE_BYTES))):
                yield piece
                left -= len(piece)
        if left:
            raise BuildError(
                f"{str(sent.path)!r} of the build context became shorter while it was sent",
                hint="build again",
            )
        yield _padding(info.size)
        return
    if stat.S_ISLNK(mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(sent.path.readlink())
    elif stat.S_ISDIR(mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISFIFO(mode):
        info.type = tarfile.FIFOTYPE
    else:
        info.type = tarfile.BLKTYPE if stat.S_ISBLK(mode) else tarfile.CHRTYPE
        info.devmajor, info.devminor = os.major(sent.status.st_rdev), os.minor(sent.status.st_rdev)
    yield _header(info)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT, tarfile.ENCODING, "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _capabilities(path: Path) -> dict[str, str]:
    """What a program may do without being root, kept in an extended attribute of its file."""
    try:
        value = os.getxattr(path, _CAPABILITIES, follow_symlinks=False)
    except (OSError, AttributeError):
        return {}
    return {f"SCHILY.xattr.{_CAPABILITIES}": value.decode(errors="surrogateescape")}


def _parsed(path: Path) -> IgnoreFile:
    try:
        return IgnoreFile.parse(_read(path))
    except ValueError as error:
        raise BuildRefused(f"{str(path)!r} cannot be used: {error}", hint="correct the pattern") from error


def _read(path: Path) -> bytes:
    if exists(path) and not (is_file(path) or is_folder(path)):
        # Such as a FIFO, whose reader would wait for ever.
        raise unreadable(path, OSError(errno.EINVAL, "not a regular file"))
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> BuildRefused:
    """The error for a file that a build needs and cannot read."""
    return BuildRefused(
        f"{str(path)!r} of the build context cannot be read: {error.strerror}",
        hint="correct its permissions, or name it in .dockerignore",
    )
