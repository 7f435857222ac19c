"""ECR's content on disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.sandbox.ecr import AccessKey, EcrSandbox

KEY = AccessKey("id", "secret")
MANIFEST = b'{"layers": [], "mediaType": "m"}'


def test_a_new_registry_on_the_same_folder_goes_on(tmp_path: Path) -> None:
    """Repositories, images, tags and links of blobs are there, at the address where the registry listens now."""

    async def first() -> None:
        ecr = EcrSandbox(tmp_path, access_key=KEY)
        ecr.listen()
        store = ecr._kept._store
        store.backend.create_repository("app", None, {}, None, "MUTABLE", [])
        store.put_image(store.require_repository("app"), MANIFEST, "one", None)
        ecr._kept._blobs.links.add(("app", "sha256:1"))
        ecr._journal({"operation": "CreateRepository"})
        await asyncio.sleep(0)  # lets the change be noted
        assert ecr._kept._due is not None
        ecr._kept._write()
        await ecr.close()

    async def second() -> tuple[str, list[str], bool, bool]:
        ecr = EcrSandbox(tmp_path, access_key=KEY)
        ecr.listen()
        repository = ecr._kept._store.require_repository("app")
        (image,) = repository.images
        await ecr.close()
        return (
            image.image_manifest,
            image.image_tags,
            ecr._kept._blobs.has("app", "sha256:1"),
            repository.repository_uri.removesuffix("/app") == ecr.registry_host,
        )

    asyncio.run(first())
    assert asyncio.run(second()) == (MANIFEST.decode(), ["one"], True, True)


def test_a_file_of_another_account_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could have us run anything, so the sandbox does not start on it."""
    (tmp_path / "store.pickle").write_bytes(b"anything")
    monkeypatch.setattr("os.geteuid", lambda: (tmp_path / "store.pickle").stat().st_uid + 1)
    with pytest.raises(SettingsError, match="belongs to another account"):
        EcrSandbox(tmp_path, access_key=KEY)
