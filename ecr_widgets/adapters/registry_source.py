"""Manifests and blobs read from a registry.

Source: OCI distribution specification, "Pulling manifests", "Pulling blobs"; OCI image specification, "Image Index",
"Image Configuration".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import urllib3

from ecr_widgets.adapters.hosts import follow, shown
from ecr_widgets.adapters.registry_protocol import MANIFESTS, authorization, base_url, errors_in, refusal
from ecr_widgets.errors import ImageNotFound, RegistryError, RegistryUnavailable, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_index import children_of, platform_of
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import Progress, ProgressSink, ignore_progress

_LARGEST_DOCUMENT_BYTES = 4 * 1024 * 1024
_MOST_REDIRECTS = 5


class RegistrySource:
    """One repository to read from, by digest."""

    def __init__(
        self,
        http: urllib3.PoolManager,
        image: ImageReference,
        token: AuthorizationToken,
        *,
        progress: ProgressSink = ignore_progress,
    ) -> None:
        self._http = http
        self._image = image
        self._progress = progress
        self._headers = authorization(token)

    def read_manifest(self, digest: str) -> tuple[bytes, str]:
        """A manifest and its media type, its content checked against the digest."""
        answer, body = ask(
            self._http,
            "GET",
            f"{base_url(self._image)}/manifests/{digest}",
            self._headers | {"Accept": MANIFESTS},
            progress=self._progress,
        )
        if answer.status != 200:
            refuse(self._image, answer, body)
        self._check(digest, body)
        return body, answer.headers.get("Content-Type", "application/json")

    def read_details(self, digest: str) -> ImageDetails:
        """Platform of an image, or the images that an index names."""
        try:
            manifest = json.loads(self.read_manifest(digest)[0])
            if "manifests" in manifest:
                return ImageDetails(children=children_of(manifest))
            if "image" not in str(manifest["config"].get("mediaType", "")):
                return ImageDetails()
            return ImageDetails(platform_of(json.loads(self._read_blob(manifest["config"]["digest"]))))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, RegistryError):
                raise
            raise RegistryError(
                f"{self._image} is not an image manifest: {type(error).__name__} {error}"
            ) from error

    def open_blob(self, digest: str) -> urllib3.BaseHTTPResponse:
        """A blob as a stream, wherever the registry sends for it; the caller releases it."""
        url, headers = f"{base_url(self._image)}/blobs/{digest}", dict(self._headers)
        for _ in range(_MOST_REDIRECTS):
            answer, _ = ask(self._http, "GET", url, headers, whole=False, progress=self._progress)
            if answer.status == 200:
                return answer
            if not 300 <= answer.status < 400:
                refuse(self._image, answer, answer.read(_LARGEST_DOCUMENT_BYTES))
            answer.release_conn()
            location = answer.headers.get("Location", "")
            where = follow(url, location)
            if where is None:
                break
            # ECR keeps layers in S3: the address there carries its own signature, and our token is none of its business.
            url, headers = where, {}
        raise RegistryError(
            f"{self._image.registry} redirects {digest} to {shown(location)}, which is not followed",
            hint="have the registry, or the proxy before it, name an https address",
        )

    def _read_blob(self, digest: str) -> bytes:
        answer = self.open_blob(digest)
        try:
            body = answer.read(_LARGEST_DOCUMENT_BYTES)
        finally:
            answer.release_conn()
        self._check(digest, body)
        return body

    def _check(self, digest: str, body: bytes) -> None:
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
            raise RegistryError(f"{self._image.registry} served something else for {digest}")


def ask(
    http: urllib3.PoolManager,
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    body: Any = None,
    whole: bool = True,
    progress: ProgressSink = ignore_progress,
) -> tuple[urllib3.BaseHTTPResponse, bytes]:
    """One request; redirects are the caller's business.

    Args:
        whole: Whether to read the answer here; else the caller does.

        progress: Called each time a request is repeated.

    Raises:
        RegistryUnavailable: No answer.
    """
    try:
        answer = http.request(
            method,
            url,
            body=body,
            headers=headers,
            redirect=False,
            preload_content=False,
            # What is streamed cannot be sent twice; an upload may be begun twice, for nothing comes of it.
            retries=False if isinstance(body, Iterator) else _retries(http, method),
        )
        told_body = answer.read(_LARGEST_DOCUMENT_BYTES) if whole else b""
        if whole:
            answer.release_conn()
    except urllib3.exceptions.HTTPError as error:
        raise RegistryUnavailable(
            f"{urlsplit(url).netloc} does not answer: {error}",
            hint="check the network, then try again: what was copied is not sent again",
            retryable=True,
        ) from error
    for failed in answer.retries.history if answer.retries else ():
        why = failed.status or failed.error
        progress(Progress(urlsplit(url).netloc, f"{method} asked again after {why}", again=True))
    return answer, told_body


def _retries(http: urllib3.PoolManager, method: str) -> urllib3.Retry | None:
    standard = http.connection_pool_kw.get("retries")
    if method == "POST" and isinstance(standard, urllib3.Retry):
        return standard.new(allowed_methods=None)
    return None


def refuse(image: ImageReference, answer: urllib3.BaseHTTPResponse, body: bytes) -> NoReturn:
    """Raise what a registry's refusal means."""
    codes, message = errors_in(body)
    if "TAG_INVALID" in codes or "immutable" in message:
        raise TagImmutable(
            f"copying to {image} was refused: {message}", standing="", wanted=None, hint="set a new tag"
        )
    if codes & {"MANIFEST_UNKNOWN", "BLOB_UNKNOWN"}:
        raise ImageNotFound(f"{image} is not whole in its registry: {message}", hint="push it again")
    raise refusal(image, answer.status, answer.headers, codes, message)
