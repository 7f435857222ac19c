"""A registry's data plane through urllib3."""

from __future__ import annotations

import urllib3

from ecr_widgets.adapters.http import EnvironmentPools
from ecr_widgets.adapters.registry_copy import copy_image, copy_referrer
from ecr_widgets.adapters.registry_referrers import list_referrers, make_listed
from ecr_widgets.adapters.registry_repository import RegistryRepository
from ecr_widgets.errors import RegistryError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import Manifest, Referrers
from ecr_widgets.model.registry import ImageDetails
from ecr_widgets.ports import ProgressSink, ignore_progress

_LONGEST_RETRY_AFTER_S = 30.0
_PASSING = (429, 502, 503, 504)


class _Retry(urllib3.Retry):
    """Obeys `Retry-After`, but waits at most 30 s."""

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
        return self._repository(image, token).find_digest(_named(image))

    def read_details(self, image: ImageReference, token: AuthorizationToken) -> ImageDetails:
        return self._repository(image, token).read_details(_pinned(image))

    def find_image_id(self, image: ImageReference, token: AuthorizationToken) -> str | None:
        return self._repository(image, token).find_image_id(_named(image))

    def copy_image(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
        *,
        progress: ProgressSink,
    ) -> str:
        copy_image(
            self._repository(source, source_token, progress),
            digest := _pinned(source),
            self._repository(target, target_token, progress),
            _named(target),
        )
        return digest

    def copy_referrer(
        self,
        source: ImageReference,
        source_token: AuthorizationToken,
        target: ImageReference,
        target_token: AuthorizationToken,
    ) -> None:
        from_repository, to_repository = (
            self._repository(source, source_token),
            self._repository(target, target_token),
        )
        copy_referrer(from_repository, _pinned(source), to_repository)

    def read_manifest(self, image: ImageReference, token: AuthorizationToken) -> Manifest:
        return self._repository(image, token).read_manifest(_pinned(image))

    def read_blob(
        self, image: ImageReference, digest: str, token: AuthorizationToken, *, largest_bytes: int
    ) -> bytes:
        return self._repository(image, token).read_blob(digest, largest_bytes)

    def list_referrers(
        self, image: ImageReference, token: AuthorizationToken, *, artifact_type: str = ""
    ) -> Referrers:
        return list_referrers(self._repository(image, token), _pinned(image), artifact_type)

    def put_blob(self, image: ImageReference, content: bytes, token: AuthorizationToken) -> str:
        return self._repository(image, token).put_small_blob(content)

    def put_manifest(
        self, image: ImageReference, content: bytes, media_type: str, token: AuthorizationToken
    ) -> None:
        repository = self._repository(image, token)
        repository.put_manifest(_named(image), content, media_type)
        make_listed(repository, content)

    def _repository(
        self, image: ImageReference, token: AuthorizationToken, progress: ProgressSink = ignore_progress
    ) -> RegistryRepository:
        return RegistryRepository(self._http, image, token, progress=progress)


def _named(image: ImageReference) -> str:
    return image.digest or image.tag or "latest"


def _pinned(image: ImageReference) -> str:
    if image.digest is None:
        raise RegistryError(f"{image} names no digest", hint="name the image by digest")
    return image.digest
