"""One repository of a registry: every request to a registry is made here.

Source: OCI distribution specification, "Checking if content exists in the registry", "Pulling manifests", "Pulling blobs",
"Pushing blobs", "Mounting a blob from another repository"; OCI image specification, "Image Index", "Image Configuration".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from typing import Any
from urllib.parse import urlsplit

import urllib3

from ecr_widgets.adapters.hosts import follow, same_origin, shown
from ecr_widgets.adapters.http import of_time
from ecr_widgets.adapters.registry_protocol import (
    MANIFESTS,
    authorization,
    base_url,
    digest_of,
    errors_in,
    refusal,
)
from ecr_widgets.errors import ImageNotFound, RegistryError, RegistryUnavailable, TagImmutable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_index import children_of, platform_of
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import Manifest
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import Progress, ProgressSink, ignore_progress

LARGEST_DOCUMENT_BYTES = 4 * 1024 * 1024
"""Size of a manifest that the specification has registries accept; more is not read."""
_FIRST_FORMAT = "application/vnd.docker.distribution.manifest.v1"
"""Of Docker 1.9 and older; its digest leaves out the signatures within, so it cannot be checked like others."""
_CHUNK_BYTES = 1024 * 1024
_MOST_REDIRECTS = 5
_SHORT = 19
"""Characters of a digest that are shown to people."""

Answer = urllib3.BaseHTTPResponse
Content = AbstractContextManager[bytes | Iterator[bytes]]


class RegistryRepository:
    """A repository, accessed with one token.

    Args:
        image: Any reference into it; errors name it.

        progress: Called while bytes are copied, and each time a request is repeated.

    Raises:
        RegistryUnavailable: From any call: no answer, or not a registry's.

        AuthorizationError: From any call: the token was refused.
    """

    def __init__(
        self,
        http: urllib3.PoolManager,
        image: ImageReference,
        token: AuthorizationToken,
        *,
        progress: ProgressSink = ignore_progress,
    ) -> None:
        if image.registry is None:
            raise RegistryError(f"{image} names no registry", hint="put the registry's host in front")
        self.image = image
        self._http = http
        self._url = base_url(image)
        self._login = authorization(token)
        self._progress = progress

    def find_digest(self, reference: str) -> str | None:
        """Digest of the manifest that the registry serves for a tag or digest; None if there is none."""
        path, accept = f"/manifests/{reference}", {"Accept": MANIFESTS}
        answer, body = self.ask("HEAD", path, accept)
        if answer.status != 200 or not digest_of(answer.headers):
            # A HEAD answer has no body that says why, so the request is repeated with GET.
            answer, body = self.ask("GET", path, accept)
        if answer.status == 200 and digest_of(answer.headers):
            return digest_of(answer.headers)
        codes, message = errors_in(body)
        if answer.status == 404 and codes and "NAME_UNKNOWN" not in codes:
            return None
        raise refusal(self.image, answer.status, answer.headers, codes, message)

    def find_manifest(self, reference: str) -> Manifest | None:
        """A manifest by tag or digest, its content checked; None if there is none.

        Raises:
            RepositoryNotFound: No such repository.
        """
        answer, body = self.ask("GET", f"/manifests/{reference}", {"Accept": MANIFESTS})
        codes, _ = errors_in(body) if answer.status == 404 else (set(), "")
        if answer.status == 404 and codes and "NAME_UNKNOWN" not in codes:
            return None
        if answer.status != 200:
            raise self.refusal(answer, body)
        media_type = answer.headers.get("Content-Type", "application/json")
        if media_type.startswith(_FIRST_FORMAT):
            raise RegistryError(
                f"{self.image} is stored in Docker's first format (schema 1), in which nothing is read or copied",
                hint="pull it with an engine before 28 and push it again: that stores it in today's format",
            )
        digest = reference if ":" in reference else digest_of(answer.headers) or _digest(body)
        self._check(digest, body)
        return Manifest(digest, media_type, body)

    def read_manifest(self, digest: str) -> Manifest:
        """A manifest by digest.

        Raises:
            ImageNotFound: No such manifest.
        """
        manifest = self.find_manifest(digest)
        if manifest is None:
            raise ImageNotFound(f"{self.image.name}@{digest} is not in its registry", hint="push it again")
        return manifest

    def read_details(self, digest: str) -> ImageDetails:
        """Platform of an image, or the images that an index lists.

        Raises:
            ImageNotFound: No such image.
        """
        try:
            manifest = json.loads(self.read_manifest(digest).content)
            if "manifests" in manifest:
                return ImageDetails(children=children_of(manifest))
            if "image" not in str(manifest["config"].get("mediaType", "")):
                return ImageDetails()
            return ImageDetails(platform_of(json.loads(self.read_blob(manifest["config"]["digest"]))))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RegistryError(
                f"{self.image} is not an image manifest: {type(error).__name__} {error}"
            ) from error

    def find_image_id(self, reference: str) -> str | None:
        """The id that an engine gives the image: its configuration's digest. None for an index, or if there is no image."""
        answer, body = self.ask("GET", f"/manifests/{reference}", {"Accept": MANIFESTS})
        if answer.status in (401, 403):
            raise self.refusal(answer, body)
        with suppress(ValueError, RecursionError, LookupError, TypeError):
            return str(json.loads(body)["config"]["digest"]) if answer.status == 200 else None
        return None

    def put_manifest(self, reference: str, content: bytes, media_type: str) -> Answer:
        """Put a manifest under a tag or its digest; no error if it is already there.

        Raises:
            TagImmutable: The tag names another manifest and must not move.
        """
        answer, body = self.ask("PUT", f"/manifests/{reference}", {"Content-Type": media_type}, body=content)
        # A tag that must not move is refused even if it already names the image, as after a lost reply.
        if answer.status != 201 and not self._names(reference, _digest(content)):
            raise self.refusal(answer, body)
        return answer

    def read_blob(self, digest: str, largest_bytes: int = LARGEST_DOCUMENT_BYTES) -> bytes:
        """A small blob, its content checked.

        Raises:
            ImageNotFound: No such blob.

            RegistryError: It is larger than `largest_bytes`, or has another digest.
        """
        with self.open_blob(digest) as answer:
            content, is_whole = _read(answer, largest_bytes)
        if not is_whole:
            raise RegistryError(f"{digest} in {self.image.name} is larger than {largest_bytes:,} bytes")
        self._check(digest, content)
        return content

    @contextmanager
    def open_blob(self, digest: str) -> Iterator[Answer]:
        """A blob as a stream; redirects are followed."""
        url, headers = f"{self._url}/blobs/{digest}", self._login
        for _ in range(_MOST_REDIRECTS):
            answer = self._send("GET", url, headers)
            if answer.status == 200:
                # Closed, so that an unread rest is not taken for the next answer.
                with closing(answer):
                    yield answer
                return
            body, _ = _read(answer)
            if not 300 <= answer.status < 400:
                raise self.refusal(answer, body)
            location = answer.headers.get("Location", "")
            where = follow(url, location)
            if where is None:
                break
            # ECR keeps layers in S3: the address there is already signed, and our token must not be sent to it.
            url, headers = where, {}
        raise RegistryError(
            f"{self.image.registry} redirects {digest} to {shown(location)}, which is not followed",
            hint="have the registry, or the proxy before it, name an https address",
        )

    def put_blob(
        self, digest: str, size_bytes: int, content: Callable[[], Content], *, mount_from: str = ""
    ) -> None:
        """Put a blob unless it already exists.

        Args:
            content: Opens the content; called only if it has to be sent.

            mount_from: A repository of the same registry that has it; empty for none.
        """
        name = digest[:_SHORT]
        if self._has(digest):
            self._progress(Progress(name, "already exists", size_bytes, size_bytes, "bytes"))
            return
        path = f"/blobs/uploads/{f'?mount={digest}&from={mount_from}' if mount_from else ''}"
        begun, body = self.ask("POST", path)
        if begun.status == 201:
            self._progress(Progress(name, "mounted", size_bytes, size_bytes, "bytes"))
            return
        if begun.status != 202:
            raise self.refusal(begun, body)
        start, location = self._url + path, begun.headers.get("Location", "")
        where = follow(start, location)
        if where is None:
            raise RegistryError(
                f"{self.image.registry} redirects an upload to {shown(location)}, which is not followed",
                hint="have the registry, or the proxy before it, name an https address",
            )
        where += f"{'&' if urlsplit(where).query else '?'}digest={digest}"
        # The token goes only to the registry itself, even if the upload goes elsewhere, and never over an unencrypted line.
        login = self._login if same_origin(where, start) else {}
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes)}
        try:
            with content() as opened:
                sent = self._send("PUT", where, login | headers, body=opened)
                body, _ = _read(sent)
        except RegistryUnavailable:
            # Perhaps only the reply was lost.
            if self._has(digest):
                return
            raise
        if sent.status != 201 and not self._has(digest):
            raise self.refusal(sent, body)

    def put_small_blob(self, content: bytes) -> str:
        """Put a blob that is in memory, and return its digest."""
        digest = _digest(content)
        self.put_blob(digest, len(content), lambda: nullcontext(content))
        return digest

    @contextmanager
    def counted(self, digest: str, size_bytes: int) -> Iterator[Iterator[bytes]]:
        """A blob in chunks, each reported as progress."""
        with self.open_blob(digest) as answer:
            yield self._counted(digest[:_SHORT], answer, size_bytes)

    def _counted(self, name: str, answer: Answer, size_bytes: int) -> Iterator[bytes]:
        done = 0
        for chunk in answer.stream(_CHUNK_BYTES, decode_content=False):
            done += len(chunk)
            self._progress(Progress(name, "copying", done, size_bytes, "bytes"))
            yield chunk

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, *, body: bytes | None = None
    ) -> tuple[Answer, bytes]:
        """Send one request below the repository, with the token. Return the answer and its body up to 4 MiB; no redirects."""
        answer = self._send(method, self._url + path, self._login | dict(headers or {}), body=body)
        return answer, _read(answer)[0]

    def refusal(self, answer: Answer, body: bytes) -> RegistryError:
        codes, message = errors_in(body)
        if "TAG_INVALID" in codes or "immutable" in message:
            return TagImmutable(
                f"writing to {self.image} was refused: {message}",
                standing="",
                wanted=None,
                hint="set a new tag",
            )
        if codes & {"MANIFEST_UNKNOWN", "BLOB_UNKNOWN"}:
            return ImageNotFound(
                f"{self.image} is incomplete in its registry: {message}", hint="push it again"
            )
        return refusal(self.image, answer.status, answer.headers, codes, message)

    def _names(self, reference: str, digest: str) -> bool:
        answer, _ = self.ask("HEAD", f"/manifests/{reference}", {"Accept": MANIFESTS})
        return answer.status == 200 and digest_of(answer.headers) == digest

    def _has(self, digest: str) -> bool:
        answer, _ = self.ask("HEAD", f"/blobs/{digest}")
        return answer.status == 200

    def _check(self, digest: str, content: bytes) -> None:
        if _digest(content) != digest:
            raise RegistryError(f"{self.image.registry} served something else for {digest}")

    def _send(self, method: str, url: str, headers: Mapping[str, str], *, body: Any = None) -> Answer:
        with _answering(url):
            answer = self._http.request(
                method,
                url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                # A stream cannot be sent twice; an upload may be started twice, since an unfinished one has no effect.
                retries=False if isinstance(body, Iterator) else _retries(self._http, method),
            )
        for failed in answer.retries.history if answer.retries else ():
            why = failed.status or failed.error
            self._progress(Progress(urlsplit(url).netloc, f"{method} asked again after {why}", again=True))
        return answer


def _read(answer: Answer, largest_bytes: int = LARGEST_DOCUMENT_BYTES) -> tuple[bytes, bool]:
    """The body up to a size, and whether it is complete."""
    with _answering(answer.url or ""):
        body = answer.read(largest_bytes + 1)
    if len(body) <= largest_bytes:
        answer.release_conn()
        return body, True
    answer.close()
    return body[:largest_bytes], False


@contextmanager
def _answering(url: str) -> Iterator[None]:
    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        raise RegistryUnavailable(
            f"the registry {urlsplit(url).netloc} does not answer: {error}",
            hint=f"{of_time(error)}check the network and the registry's address, then try again",
            retryable=True,
        ) from error


def _retries(http: urllib3.PoolManager, method: str) -> urllib3.Retry | None:
    standard = http.connection_pool_kw.get("retries")
    if method == "POST" and isinstance(standard, urllib3.Retry):
        return standard.new(allowed_methods=None)
    return None


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
