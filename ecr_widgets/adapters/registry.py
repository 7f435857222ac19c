"""A registry's data plane by urllib3.

Source: OCI distribution specification, "Checking if content exists in the registry".
"""

from __future__ import annotations

import json
from contextlib import suppress

import urllib3

from ecr_widgets.adapters.http import EnvironmentPools
from ecr_widgets.adapters.registry_copy import ImageCopy
from ecr_widgets.adapters.registry_protocol import (
    MANIFESTS,
    authorization,
    base_url,
    digest_of,
    errors_in,
    refusal,
)
from ecr_widgets.adapters.registry_source import RegistrySource
from ecr_widgets.errors import RegistryError, RegistryUnavailable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import ProgressSink

_LARGEST_ANSWER_BYTES = 64 * 1024
_LONGEST_RETRY_AFTER_S = 30.0
_PASSING = (429, 502, 503, 504)


class _Retry(urllib3.Retry):
    """Obeys `Retry-After`, but lets no server stop us for hours."""

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        asked_s = super().get_retry_after(response)
        return None if asked_s is None else min(asked_s, _LONGEST_RETRY_AFTER_S)


class OciRegistry:
    """Implements `ports.Registry`."""

    def __init__(self) -> None:
        self._http = EnvironmentPools(
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
            # A HEAD has no body that says why, so the same is asked once more with GET.
            status, found, body = self._ask("GET", url, headers)
        if status == 200 and digest_of(found):
            return digest_of(found)
        codes, message = errors_in(body)
        if status == 404 and codes and "NAME_UNKNOWN" not in codes:
            return None
        raise refusal(image, status, found, codes, message)

    def read_details(self, image: ImageReference, token: AuthorizationToken) -> ImageDetails:
        if image.digest is None:
            raise RegistryError(f"{image} names no digest", hint="name the image by digest")
        return RegistrySource(self._http, image, token).read_details(image.digest)

    def find_image_id(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        url = f"{base_url(image)}/manifests/{image.digest or image.tag or 'latest'}"
        status, found, body = self._ask("GET", url, {"Accept": MANIFESTS} | authorization(token))
        if status in (401, 403):
            raise refusal(image, status, found, *errors_in(body))
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
