"""An image from one repository to another, registry to registry: no engine takes part, and the digest stays.

Source: OCI distribution specification, "Pulling manifests", "Pushing blobs", "Mounting a blob from another repository".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3

from ecr_widgets.adapters.registry import (
    MANIFESTS,
    authorization,
    base_url,
    digest_of,
    is_loopback,
    refusal,
    told,
)
from ecr_widgets.errors import ImageNotFound, RegistryError, RegistryUnavailable, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Progress, ProgressSink

_LARGEST_MANIFEST_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_MOST_REDIRECTS = 5
_SHORT = 19
_DEEPEST = 3
"""Levels of indexes: more is no image that anybody runs."""

End = tuple[ImageReference, AuthorizationToken]


class ImageCopy:
    """One copy, from a reference by digest to one with a tag."""

    def __init__(self, http: urllib3.PoolManager, source: End, target: End, progress: ProgressSink) -> None:
        self._http = http
        self._source, source_token = source
        self._target, target_token = target
        self._source_headers = authorization(source_token)
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
                f"{self._source} is no manifest of an image: {type(error).__name__} {error}"
            ) from error

    def _manifest(self, digest: str, reference: str, *, depth: int) -> str:
        body, media_type = self._read_manifest(digest)
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
            self._refuse(self._target, answer, told_body)
        return digest

    def _names(self, reference: str, digest: str) -> bool:
        # A tag that must not move is refused also where it names the image already, as after a reply that was lost.
        standing, _ = self._ask(
            "HEAD",
            f"{base_url(self._target)}/manifests/{reference}",
            self._target_headers | {"Accept": MANIFESTS},
        )
        return standing.status == 200 and digest_of(standing.headers) == digest

    def _has(self, digest: str) -> bool:
        standing, _ = self._ask("HEAD", f"{base_url(self._target)}/blobs/{digest}", self._target_headers)
        return standing.status == 200

    def _read_manifest(self, digest: str) -> tuple[bytes, str]:
        answer, body = self._ask(
            "GET",
            f"{base_url(self._source)}/manifests/{digest}",
            self._source_headers | {"Accept": MANIFESTS},
        )
        if answer.status != 200:
            self._refuse(self._source, answer, body)
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
            raise RegistryError(f"{self._source.registry} served another manifest for {digest}")
        return body, answer.headers.get("Content-Type", "application/json")

    def _blob(self, digest: str, size_bytes: int) -> None:
        name, base = digest[:_SHORT], base_url(self._target)
        if self._has(digest):
            self._progress(Progress(name, "stands already", size_bytes, size_bytes, "B"))
            return
        start = f"{base}/blobs/uploads/"
        if self._source.registry == self._target.registry:
            start += f"?mount={digest}&from={self._source.repository}"
        begun, told_body = self._ask("POST", start, self._target_headers)
        if begun.status == 201:
            self._progress(Progress(name, "mounted", size_bytes, size_bytes, "B"))
            return
        if begun.status != 202:
            self._refuse(self._target, begun, told_body)
        where = urljoin(start, begun.headers.get("Location", ""))
        where += f"{'&' if urlsplit(where).query else '?'}digest={digest}"
        # The token is for the registry alone, wherever an upload goes.
        own = urlsplit(where).netloc == urlsplit(start).netloc
        download = self._open_blob(digest)
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
            self._refuse(self._target, sent, told_body)

    def _open_blob(self, digest: str) -> urllib3.BaseHTTPResponse:
        url, headers = f"{base_url(self._source)}/blobs/{digest}", dict(self._source_headers)
        for _ in range(_MOST_REDIRECTS):
            answer, _ = self._ask("GET", url, headers, whole=False)
            if answer.status == 200:
                return answer
            if not 300 <= answer.status < 400:
                self._refuse(self._source, answer, answer.read(_LARGEST_MANIFEST_BYTES))
            answer.release_conn()
            url = urljoin(url, answer.headers.get("Location", ""))
            if urlsplit(url).scheme != "https" and not is_loopback(urlsplit(url).netloc):
                break
            # ECR keeps layers in S3: the address there carries its own signature, and our token is none of its business.
            headers = {}
        raise RegistryError(f"{self._source.registry} sends for {digest} to {url}, which is not followed")

    def _counted(self, name: str, answer: urllib3.BaseHTTPResponse, size_bytes: int) -> Iterator[bytes]:
        done = 0
        for chunk in answer.stream(_CHUNK_BYTES, decode_content=False):
            done += len(chunk)
            self._progress(Progress(name, "copying", done, size_bytes, "B"))
            yield chunk

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], *, body: Any = None, whole: bool = True
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        try:
            answer = self._http.request(
                method,
                url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                # What is streamed cannot be sent twice; an upload may be begun twice, for nothing comes of it.
                retries=False if isinstance(body, Iterator) else self._retries(method),
            )
            told_body = answer.read(_LARGEST_MANIFEST_BYTES) if whole else b""
            if whole:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise RegistryUnavailable(
                f"{urlsplit(url).netloc} does not answer: {error}",
                hint="check the network, then run again: what was copied is not sent again",
                retryable=True,
            ) from error
        return answer, told_body

    def _retries(self, method: str) -> urllib3.Retry | None:
        standard = self._http.connection_pool_kw.get("retries")
        if method == "POST" and isinstance(standard, urllib3.Retry):
            return standard.new(allowed_methods=None)
        return None

    def _refuse(self, image: ImageReference, answer: urllib3.BaseHTTPResponse, body: bytes) -> None:
        codes, message = told(body)
        if "TAG_INVALID" in codes or "immutable" in message:
            raise TagImmutable(
                f"copying to {image} was refused: {message}", standing="", wanted=None, hint="set a new tag"
            )
        if codes & {"MANIFEST_UNKNOWN", "BLOB_UNKNOWN"}:
            raise ImageNotFound(f"{image} is not whole in its registry: {message}", hint="push it again")
        raise refusal(image, answer.status, answer.headers, codes, message)
