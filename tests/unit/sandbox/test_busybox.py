"""The archive of the base image."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile

from ecr_widgets.sandbox.busybox import image_archive, is_static

PROGRAM = b"a program"


def test_the_same_program_gives_the_same_bytes() -> None:
    """The same program and applets give the same archive, byte for byte."""
    assert image_archive(PROGRAM, ["cat", "sh"]) == image_archive(PROGRAM, ["cat", "sh"])


def test_the_archive_is_an_image() -> None:
    """The archive is an image: its config names the layer by hash, and the layer has the program and a link per applet."""
    with tarfile.open(fileobj=io.BytesIO(image_archive(PROGRAM, ["busybox", "cat", "sh"]))) as archive:

        def read(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

        (manifest,) = json.loads(read("manifest.json"))
        config = json.loads(read(manifest["Config"]))
        layer = read(*manifest["Layers"])

    assert manifest["RepoTags"] == ["busybox:latest"]
    assert config["config"]["Cmd"] == ["sh"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        assert files.getmember("bin/busybox").isfile()
        assert files.getmember("bin/busybox").mode == 0o755
        assert {name: files.getmember(f"bin/{name}").linkname for name in ("cat", "sh")} == {
            "cat": "busybox",
            "sh": "busybox",
        }
        assert files.getmember("tmp").mode == 0o1777
        assert {entry.mtime for entry in files.getmembers()} == {0}


def _elf(*segments: int) -> bytes:
    head = bytearray(64)
    head[:5] = b"\x7fELF\x02"
    struct.pack_into("<Q", head, 32, 64)
    struct.pack_into("<HH", head, 54, 56, len(segments))
    return bytes(head) + b"".join(struct.pack("<I", kind).ljust(56, b"\0") for kind in segments)


def test_only_a_static_program_will_do() -> None:
    """Only a static executable is accepted, not a dynamically linked one or a script."""
    assert is_static(_elf(1, 1, 4))
    assert not is_static(_elf(6, 3, 1))
    assert not is_static(b"#!/bin/sh\n")
    assert not is_static(b"")
