"""A registry's data plane by urllib3.

Source: OCI distribution specification, "Checking if content exists in the registry".
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from contextlib import suppress
from typing import Any

import urllib3

from ecr_widgets.errors import AuthorizationError, RegistryError, RegistryUnavailable, RepositoryNotFound
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import ProgressSink

MANIFESTS = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_LARGEST_ANSWER_BYTES = 64 * 1024
_LONGEST_RETRY_AFTER_S = 30.0
_SHOWN = 200
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_PASSING = (429, 502, 503, 504)


class _Retry(urllib3.Retry):
    """Obeys `Retry-After`, but lets no server stop us for hours."""

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        asked_s = super().get_retry_after(response)
        return None if asked_s is None else min(asked_s, _LONGEST_RETRY_AFTER_S)


class OciRegistry:
    """Implements `ports.Registry`."""

    def __init__(self) -> None:
        self._http = urllib3.PoolManager(
            retries=_Retry(total=3, status_forcelist=_PASSING, backoff_factor=0.2, raise_on_status=False),
            timeout=urllib3.Timeout(connect=5.0, read=30.0),
        )

    def find_digest(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        if image.registry is None:
            raise RegistryError(f"{image} names no registry", hint="put the registry's host in front")
        url = f"{base_url(image)}/manifests/{image.digest or image.tag or 'latest'}"
        headers = {"Accept": MANIFESTS} | authorization(token)
        status, found, _ = self._ask("HEAD", url, headers)
        body = b""
        if status != 200 or not digest_of(found):
            # A HEAD has no body to tell why, so the same is asked once more with one.
            status, found, body = self._ask("GET", url, headers)
        if status == 200 and digest_of(found):
            return digest_of(found)
        codes, message = told(body)
        if status == 404 and codes and "NAME_UNKNOWN" not in codes:
            return None
        raise refusal(image, status, found, codes, message)

    def read_details(self, image: ImageReference, token: AuthorizationToken) -> ImageDetails:
        # Imported late: few runs ask.
        from ecr_widgets.adapters.registry_source import RegistrySource

        if image.digest is None:
            raise RegistryError(f"{image} names no digest", hint="name the image by digest")
        return RegistrySource(self._http, image, token).read_details(image.digest)

    def find_image_id(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        url = f"{base_url(image)}/manifests/{image.digest or image.tag or 'latest'}"
        status, found, body = self._ask("GET", url, {"Accept": MANIFESTS} | authorization(token))
        if status in (401, 403):
            raise refusal(image, status, found, *told(body))
        with suppress(ValueError, RecursionError, LookupError, TypeError):
            return str(json.loads(body)["config"]["digest"]) if status == 200 else None
        return None

    def copy_image(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
        *,
        progress: ProgressSink,
    ) -> str:
        # Imported late: few runs copy.
        from ecr_widgets.adapters.registry_copy import ImageCopy

        return ImageCopy(self._http, (source, source_token), (target, target_token), progress).run()

    def _ask(
        self, method: str, url: str, headers: dict[str, str]
    ) -> tuple[int, urllib3.HTTPHeaderDict, bytes]:
        try:
            # A redirect is never followed: the token must not reach another host.
            answer = self._http.request(method, url, headers=headers, redirect=False, preload_content=False)
            try:
                return answer.status, answer.headers, answer.read(_LARGEST_ANSWER_BYTES)
            finally:
                answer.close()
        except urllib3.exceptions.HTTPError as error:
            host = urllib3.util.parse_url(url).netloc
            raise RegistryUnavailable(
                f"the registry {host} does not answer: {error}",
                hint="check the network and the registry's address",
                retryable=True,
            ) from error


def base_url(image: ImageReference) -> str:
    """Where the repository's part of the registry's API begins."""
    scheme = "http" if is_loopback(image.registry or "") else "https"
    return f"{scheme}://{image.registry}/v2/{image.repository}"


def authorization(token: AuthorizationToken) -> dict[str, str]:
    """The header that carries the token."""
    password = base64.b64encode(f"{token.user}:{token.password}".encode()).decode()
    return {"Authorization": f"Basic {password}"}


def is_loopback(host: str) -> bool:
    """Whether a host (with or without port) is this machine; only there plain HTTP may carry a token."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if name == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    return False


def digest_of(headers: urllib3.HTTPHeaderDict) -> str | None:
    """The digest that an answer names, or None."""
    digest = headers.get("Docker-Content-Digest", "")
    return digest if _DIGEST.fullmatch(digest) else None


def refusal(
    image: ImageReference, status: int, headers: urllib3.HTTPHeaderDict, codes: set[str], message: str
) -> RegistryError:
    """The error that an answer means."""
    if status in (401, 403):
        return AuthorizationError(
            f"the registry {image.registry} refused the authorization token: {message or status}",
            hint="log in again",
        )
    if status == 404 and "NAME_UNKNOWN" in codes:
        return RepositoryNotFound(
            f"repository {image.repository!r} does not exist in {image.registry}: {message}",
            hint="create it, or check its name",
        )
    if 300 <= status < 400:
        message = f"a redirect to {headers.get('Location', 'nowhere')}, which is not followed"
    what = f"{image.registry} answered {status} for {image}: {message or 'no reason'}"
    if codes and status < 500:
        return RegistryError(f"the registry {what}")
    if status == 429 or status >= 500:
        return RegistryUnavailable(f"the registry {what}", hint="try again later", retryable=True)
    return RegistryUnavailable(
        f"what stands at {what}", hint="check the registry's address, and what stands between you and it"
    )


def told(body: bytes) -> tuple[set[str], str]:
    """Error codes and text of an answer; no codes where it does not speak as registries do."""
    with suppress(ValueError, RecursionError):
        value: Any = json.loads(body)
        listed = value.get("errors") if isinstance(value, dict) else None
        errors = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        if errors:
            texts = [str(each["message"]) for each in errors if each.get("message")]
            return {str(each.get("code")) for each in errors}, "; ".join(texts)[:_SHOWN]
    return set(), body[:_SHOWN].decode(errors="replace").strip()
