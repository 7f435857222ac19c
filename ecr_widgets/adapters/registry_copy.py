"""An image from one repository to another, registry to registry: no engine takes part, and the digest stays.

Source: OCI distribution specification, "Pushing blobs", "Mounting a blob from another repository".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import urllib3

from ecr_widgets.adapters.hosts import follow, same_origin, shown
from ecr_widgets.adapters.registry_protocol import MANIFESTS, authorization, base_url, digest_of
from ecr_widgets.adapters.registry_source import RegistrySource, ask, refuse
from ecr_widgets.errors import RegistryError, RegistryUnavailable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ProgressSink

_CHUNK_BYTES = 1024 * 1024
_SHORT = 19
_DEEPEST = 3
"""Levels of indexes: more is no image that anybody runs."""

End = tuple[ImageReference, AuthorizationToken]


class ImageCopy:
    """One copy, from a reference by digest to one with a tag."""

    def __init__(self, http: urllib3.PoolManager, source: End, target: End, progress: ProgressSink) -> None:
        self._http = http
        self._source = source[0]
        self._from = RegistrySource(http, *source, progress=progress)
        self._target, target_token = target
        self._target_headers = authorization(target_token)
        self._progress = progress

    def run(self) -> str:
        """Copy, and give back the digest."""
        assert self._source.digest is not None
        assert self._target.tag is not None
        try:
            return self._manifest(self._source.digest, self._target.tag, depth=0)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RegistryError(
                f"{self._source} is not an image manifest: {type(error).__name__} {error}"
            ) from error

    def _manifest(self, digest: str, reference: str, *, depth: int) -> str:
        body, media_type = self._from.read_manifest(digest)
        described = json.loads(body)
        children = described.get("manifests", ())
        if children and depth >= _DEEPEST:
            raise RegistryError(f"{self._source} is an index of indexes, {depth} deep, which is not copied")
        for child in children:
            self._manifest(child["digest"], child["digest"], depth=depth + 1)
        for part in (*described.get("layers", ()), *([described["config"]] if "config" in described else ())):
            # Layers that are kept elsewhere (`urls`) stay there.
            if not part.get("urls"):
                self._blob(part["digest"], int(part["size"]))
        answer, told_body = self._ask(
            "PUT",
            f"{base_url(self._target)}/manifests/{reference}",
            self._target_headers | {"Content-Type": media_type},
            body=body,
        )
        if answer.status != 201 and not self._names(reference, digest):
            refuse(self._target, answer, told_body)
        return digest

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        body: bytes | Iterator[bytes] | None = None,
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        return ask(self._http, method, url, headers, body=body, progress=self._progress)

    def _names(self, reference: str, digest: str) -> bool:
        # A tag that must not move is refused also where it names the image already, as after a reply that was lost.
        answer, _ = self._ask(
            "HEAD",
            f"{base_url(self._target)}/manifests/{reference}",
            self._target_headers | {"Accept": MANIFESTS},
        )
        return answer.status == 200 and digest_of(answer.headers) == digest

    def _has(self, digest: str) -> bool:
        blob = f"{base_url(self._target)}/blobs/{digest}"
        answer, _ = self._ask("HEAD", blob, self._target_headers)
        return answer.status == 200

    def _blob(self, digest: str, size_bytes: int) -> None:
        name, base = digest[:_SHORT], base_url(self._target)
        if self._has(digest):
            self._progress(Progress(name, "already exists", size_bytes, size_bytes, "bytes"))
            return
        start = f"{base}/blobs/uploads/"
        if self._source.registry == self._target.registry:
            start += f"?mount={digest}&from={self._source.repository}"
        begun, told_body = self._ask("POST", start, self._target_headers)
        if begun.status == 201:
            self._progress(Progress(name, "mounted", size_bytes, size_bytes, "bytes"))
            return
        if begun.status != 202:
            refuse(self._target, begun, told_body)
        location = begun.headers.get("Location", "")
        where = follow(start, location)
        if where is None:
            raise RegistryError(
                f"{self._target.registry} redirects an upload to {shown(location)}, which is not followed",
                hint="have the registry, or the proxy before it, name an https address",
            )
        where += f"{'&' if urlsplit(where).query else '?'}digest={digest}"
        # The token is for the registry alone, wherever an upload goes, and never for a line that others can read.
        own = same_origin(where, start)
        download = self._from.open_blob(digest)
        try:
            sent, told_body = self._ask(
                "PUT",
                where,
                (self._target_headers if own else {})
                | {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)},
                body=self._counted(name, download, size_bytes),
            )
        except RegistryUnavailable:
            # Its reply may be all that was lost.
            if self._has(digest):
                return
            raise
        finally:
            download.release_conn()
        if sent.status != 201 and not self._has(digest):
            refuse(self._target, sent, told_body)

    def _counted(self, name: str, answer: urllib3.BaseHTTPResponse, size_bytes: int) -> Iterator[bytes]:
        done = 0
        for chunk in answer.stream(_CHUNK_BYTES, decode_content=False):
            done += len(chunk)
            self._progress(Progress(name, "copying", done, size_bytes, "bytes"))
            yield chunk
