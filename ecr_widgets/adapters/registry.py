"""A registry's data plane by urllib3.

Source: OCI distribution specification, "Checking if content exists in the registry".
"""

from __future__ import annotations

import ipaddress
import json
from contextlib import suppress

import urllib3

from ecr_widgets.errors import AuthorizationError, RegistryError, RegistryUnavailable, RepositoryNotFound
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference

_ACCEPT = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_LARGEST_ANSWER_BYTES = 64 * 1024


class OciRegistry:
    """Implements `ports.Registry`."""

    def __init__(self) -> None:
        self._http = urllib3.PoolManager(
            # A redirect is never followed: the token must not reach another host.
            retries=urllib3.Retry(
                total=3, redirect=0, status_forcelist=(429, 502, 503, 504), backoff_factor=0.2
            ),
            timeout=urllib3.Timeout(connect=5.0, read=30.0),
        )

    def find_digest(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        if image.registry is None:
            raise RegistryError(f"{image} names no registry")
        scheme = "http" if is_loopback(image.registry) else "https"
        url = f"{scheme}://{image.registry}/v2/{image.repository}/manifests/{image.digest or image.tag or 'latest'}"
        headers = {"Accept": _ACCEPT, **urllib3.make_headers(basic_auth=f"{token.user}:{token.password}")}
        status, found, _ = self._ask("HEAD", url, headers)
        if status == 200 and found.get("Docker-Content-Digest"):
            return found["Docker-Content-Digest"]
        # A HEAD has no body to tell why, so the same is asked once more with one.
        status, found, body = self._ask("GET", url, headers)
        if status == 200 and found.get("Docker-Content-Digest"):
            return found["Docker-Content-Digest"]
        codes, message = _told(body)
        if status in (401, 403):
            raise AuthorizationError(
                f"the registry {image.registry} refused the authorization token: {message or status}",
                hint="log in again",
            )
        if status == 404 and "NAME_UNKNOWN" in codes:
            raise RepositoryNotFound(
                f"repository {image.repository!r} does not exist in {image.registry}: {message}",
                hint="create it, or check its name",
            )
        if status == 404:
            return None
        raise RegistryError(
            f"the registry {image.registry} answered {status} for {image}: {message or 'no reason'}"
        )

    def _ask(
        self, method: str, url: str, headers: dict[str, str]
    ) -> tuple[int, urllib3.HTTPHeaderDict, bytes]:
        try:
            answer = self._http.request(method, url, headers=headers, preload_content=False)
            try:
                return answer.status, answer.headers, answer.read(_LARGEST_ANSWER_BYTES)
            finally:
                answer.close()
        except urllib3.exceptions.HTTPError as error:
            host = urllib3.util.parse_url(url).netloc
            raise RegistryUnavailable(
                f"the registry {host} does not answer: {error}",
                hint="check the network and the registry's address",
            ) from error


def is_loopback(host: str) -> bool:
    """Whether a host (with or without port) is this machine; only there plain HTTP may carry a token."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if name == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    return False


def _told(body: bytes) -> tuple[set[str], str]:
    with suppress(ValueError, KeyError, TypeError):
        errors = json.loads(body)["errors"]
        return {error["code"] for error in errors}, "; ".join(error.get("message", "") for error in errors)
    return set(), body[:200].decode(errors="replace")
