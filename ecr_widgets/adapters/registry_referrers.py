"""What refers to a manifest: listed by the registry, or under a tag if the registry keeps no list.

Source: OCI distribution specification, "Listing Referrers", "Pushing Manifests with Subject", "Referrers Tag Schema". Only the
list itself shows whether a registry keeps one: some name the subject in their answers without keeping a list.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import quote, urlsplit

from ecr_widgets.adapters.registry_repository import RegistryRepository
from ecr_widgets.errors import RegistryError, RegistryUnavailable, TagImmutable
from ecr_widgets.model.referrers import IMAGE_INDEX, IMAGE_MANIFEST, Referrer, Referrers, fallback_tag

MAX_PAGES = 20
MAX_ENTRIES = 1_000
"""More are not read: anyone who can push can attach any number."""
_TRIES = 5
_LONGEST_TEXT = 200
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?')
_INDEXES = frozenset((IMAGE_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"))


def list_referrers(repository: RegistryRepository, digest: str, artifact_type: str) -> Referrers:
    """Referrers from the registry's list, or else from the fallback tag; bounded in pages, entries and bytes.

    Args:
        artifact_type: Asks the registry for this type only, which the registry may ignore; empty for all.
    """
    listed = _by_registry(repository, digest, artifact_type)
    return _by_tag(repository, digest) if listed is None else listed


def make_listed(repository: RegistryRepository, content: bytes) -> None:
    """Make sure that a manifest that was put is listed among its subject's referrers; without a subject, do nothing.

    Raises:
        TagImmutable: The registry keeps no list, and the fallback tag must not move.

        RegistryError: The registry does not list it, or other writers kept overwriting the fallback tag.
    """
    manifest = json.loads(content)
    if "subject" not in manifest:
        return
    subject, referrer = manifest["subject"]["digest"], _referrer_of(manifest, content)
    listed = _by_registry(repository, subject, referrer.artifact_type)
    if listed is not None:
        if not listed.left_out and referrer.digest not in {each.digest for each in listed.entries}:
            raise RegistryError(
                f"{referrer.digest} is in {repository.image.name}, but is not listed among the referrers of {subject}",
                hint="try again later",
                retryable=True,
            )
        return
    tag = fallback_tag(subject)
    # The registry has no lock, so two writers may overwrite each other's list: write, read back, and write again if needed.
    for _ in range(_TRIES):
        entries = _entries_under(repository, tag)
        if any(each.get("digest") == referrer.digest for each in entries):
            return
        index = {
            "schemaVersion": 2,
            "mediaType": IMAGE_INDEX,
            "manifests": [*entries, _described(referrer)],
        }
        try:
            repository.put_manifest(tag, json.dumps(index, separators=(",", ":")).encode(), IMAGE_INDEX)
        except TagImmutable as error:
            raise TagImmutable(
                f"{referrer.digest} is in {repository.image.name}, but cannot be listed: the tag {tag} must not move",
                standing=error.standing,
                wanted=None,
                hint="exclude tags sha256-* from the repository's immutability",
            ) from error
    raise RegistryError(
        f"{referrer.digest} is in {repository.image.name}, but others kept overwriting the list of referrers {tag}",
        hint="try again",
        retryable=True,
    )


def _by_registry(repository: RegistryRepository, digest: str, artifact_type: str) -> Referrers | None:
    """The registry's own list; None if it keeps none."""
    entries: list[Referrer] = []
    path = f"/referrers/{digest}"
    target = f"{path}?artifactType={quote(artifact_type, safe='')}" if artifact_type else path
    for _ in range(MAX_PAGES):
        answer, body = repository.ask("GET", target, {"Accept": IMAGE_INDEX})
        if answer.status in (404, 405, 501) and not entries:
            # A registry with a list answers this only if the repository does not exist; reading the tag will then report that.
            return None
        if answer.status != 200:
            raise repository.refusal(answer, body)
        try:
            found = [_referrer(each) for each in _manifests(body)]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RegistryUnavailable(
                f"{repository.image.registry} does not list the referrers of {digest} as registries do: {error}"
            ) from error
        entries += found
        if len(entries) > MAX_ENTRIES:
            return Referrers(tuple(entries[:MAX_ENTRIES]), f"more than {MAX_ENTRIES:,} are listed")
        following = _NEXT.search(answer.headers.get("Link", ""))
        if following is None:
            return Referrers(tuple(entries))
        below = _below(path, following[1])
        if below is None:
            return Referrers(tuple(entries), "the next page is at another address, which is not asked")
        target = below
    return Referrers(tuple(entries), f"more than {MAX_PAGES} pages are listed")


def _below(path: str, link: str) -> str | None:
    """The next page's path below the repository, at the same host; None if the link leads elsewhere."""
    parts = urlsplit(link)
    # Registries send the whole path from /v2/, with or without a host, or only the query.
    return f"{path}?{parts.query}" if parts.path.endswith(path) or not parts.path else None


def _by_tag(repository: RegistryRepository, digest: str) -> Referrers:
    found = []
    for entry in _entries_under(repository, fallback_tag(digest)):
        try:
            found.append(_referrer(entry))
        except (LookupError, TypeError, ValueError, AttributeError):
            continue
    left_out = f"more than {MAX_ENTRIES:,} are listed" if len(found) > MAX_ENTRIES else ""
    return Referrers(tuple(found[:MAX_ENTRIES]), left_out, by_tag=True)


def _entries_under(repository: RegistryRepository, tag: str) -> list[dict[str, Any]]:
    """The entries of the index under the tag; empty if the tag names something else, as some registries resolve it."""
    manifest = repository.find_manifest(tag)
    if manifest is None or manifest.media_type.partition(";")[0] not in _INDEXES:
        return []
    try:
        return [each for each in _manifests(manifest.content) if isinstance(each, dict)]
    except (LookupError, TypeError, ValueError):
        return []


def _manifests(body: bytes) -> list[Any]:
    manifests = json.loads(body)["manifests"]
    if not isinstance(manifests, list):
        raise TypeError("manifests is not a list")
    return manifests


def _referrer(entry: dict[str, Any]) -> Referrer:
    annotations = entry.get("annotations") or {}
    return Referrer(
        str(entry["digest"]),
        str(entry["mediaType"]),
        int(entry["size"]),
        str(entry.get("artifactType") or "")[:_LONGEST_TEXT],
        {str(k)[:_LONGEST_TEXT]: str(v)[:_LONGEST_TEXT] for k, v in annotations.items()},
    )


def _referrer_of(manifest: dict[str, Any], content: bytes) -> Referrer:
    return Referrer(
        f"sha256:{hashlib.sha256(content).hexdigest()}",
        manifest.get("mediaType", IMAGE_MANIFEST),
        len(content),
        manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType", ""),
        manifest.get("annotations") or {},
    )


def _described(referrer: Referrer) -> dict[str, Any]:
    described = {
        "mediaType": referrer.media_type,
        "digest": referrer.digest,
        "size": referrer.size_bytes,
        "artifactType": referrer.artifact_type,
        "annotations": dict(referrer.annotations),
    }
    return {name: value for name, value in described.items() if value}
