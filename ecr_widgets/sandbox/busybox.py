"""The runbooks' base image, `busybox:latest`, made from this machine's own static BusyBox.

The same program always gives the same image id: the archive contains no times.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import struct
import subprocess
import tarfile
from pathlib import Path

from ecr_widgets.errors import EngineError
from ecr_widgets.sandbox.local_engine import LocalEngine
from ecr_widgets.sandbox.processes import find_tool

REFERENCE = "busybox:latest"
LABEL = {"ecr-widgets.sandbox.image": "busybox"}
"""Different from the label of the sandbox's containers: images built on this one, and their containers, inherit it."""

_PULL_TIMEOUT_S = 20.0
_INTERPRETER_SEGMENT = 3
_FOLDERS = {
    "bin": 0o755,
    "etc": 0o755,
    "root": 0o700,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "var": 0o755,
}
_PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUP = b"root:x:0:\nnogroup:x:65534:\n"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def provide_busybox(engine: LocalEngine, program: Path | None = None) -> str | None:
    """Make sure that the engine has `busybox:latest`.

    Args:
        program: BusyBox to make the image from; None to look on this machine and, if there is none, have the engine
            pull the public image within twenty seconds.

    Returns:
        The image's id if this call added it, None if it already existed.

    Raises:
        EngineError: No static BusyBox on this machine, and the image cannot be pulled.
    """
    if engine.image_id(REFERENCE) is not None:
        return None
    program = program or find_program()
    if program is not None:
        engine.load_image(image_archive(program.read_bytes(), applets_of(program)))
    else:
        try:
            LocalEngine(engine.docker_host, timeout_s=_PULL_TIMEOUT_S).pull_image(*REFERENCE.split(":"))
        except EngineError as error:
            raise EngineError(
                f"there is no image {REFERENCE}: no static BusyBox on this machine, and pulling failed ({error})",
                hint="apt-get install --no-install-recommends busybox-static",
            ) from error
    return engine.image_id(REFERENCE)


def find_program() -> Path | None:
    """Find a statically linked BusyBox on this machine."""
    program = find_tool("busybox")
    return Path(program) if program is not None and is_static(Path(program).read_bytes()) else None


def applets_of(program: Path) -> list[str]:
    """Ask a BusyBox for its commands."""
    done = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    return sorted(set(done.stdout.split()))


def is_static(program: bytes) -> bool:
    """Whether a 64-bit ELF program needs no dynamic linker, so that it runs in an image with nothing else in it.

    Source: System V ABI, "ELF Header" and "Program Header".
    """
    if program[:4] != b"\x7fELF" or program[4] != 2:
        return False
    (table,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    kinds = (struct.unpack_from("<I", program, table + index * size)[0] for index in range(count))
    return _INTERPRETER_SEGMENT not in kinds


def image_archive(program: bytes, applets: list[str]) -> bytes:
    """Make an image archive as `docker save` does; the same program gives the same bytes."""
    layer = _layer(program, applets)
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "config": {
                "Cmd": ["sh"],
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Labels": LABEL,
            },
            "created": "1970-01-01T00:00:00Z",
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "ecr-widgets sandbox"}],
            "os": "linux",
            "rootfs": {"diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"], "type": "layers"},
        },
        sort_keys=True,
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "Layers": ["layer.tar"], "RepoTags": [REFERENCE]}]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add_file(tar, config_name, config)
        _add_file(tar, "layer.tar", layer)
        _add_file(tar, "manifest.json", json.dumps(manifest).encode())
    return archive.getvalue()


def _layer(program: bytes, applets: list[str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, mode in _FOLDERS.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        _add_file(tar, "bin/busybox", program, mode=0o755)
        _add_file(tar, "etc/passwd", _PASSWD)
        _add_file(tar, "etc/group", _GROUP)
        # Scripts expect env at this path.
        links = {f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"}
        for name, target in {**links, "usr/bin/env": "../../bin/busybox"}.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, target, 0o777
            tar.addfile(link)
    return content.getvalue()


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, *, mode: int = 0o644) -> None:
    # TarInfo's defaults are owner 0 and time 0, so nothing specific to this machine or day gets in.
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
