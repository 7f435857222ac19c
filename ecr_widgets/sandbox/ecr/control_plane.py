"""moto's ECR, corrected to answer as AWS does. This patches only this process, which serves nothing but the sandbox."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import Image, Repository
from moto.ecr.responses import ECRResponse

from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.sandbox.ecr.batches import add_batches
from ecr_widgets.sandbox.ecr.creation_templates import add_templates
from ecr_widgets.sandbox.ecr.encryption import encryption_of
from ecr_widgets.sandbox.ecr.identity import name_identity
from ecr_widgets.sandbox.ecr.images import Images, refuse, size_bytes
from ecr_widgets.sandbox.ecr.lifecycle_preview import add_previews
from ecr_widgets.sandbox.ecr.referrers import (
    add_referrers,
    artifact_type_of,
    page_of,
    subject_of,
    why_unreadable,
)
from ecr_widgets.sandbox.ecr.scan_findings import add_scans
from ecr_widgets.sandbox.ecr.tokens import Tokens

_PAGE, _LARGEST_PAGE = 100, 1000


def correct_moto(  # noqa: C901 -- one function a corrected call, all over the same store
    store: Images, tokens: Tokens, registry_host: Callable[[], str]
) -> None:
    """Apply the corrections.

    Args:
        registry_host: Returns the registry endpoint's host and port, once it listens.
    """

    def get_authorization_token(self: ECRResponse) -> ActionResult:
        _check_region(self, store)
        password, expires_at_s = tokens.issue()
        issued = {
            "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": datetime.fromtimestamp(expires_at_s, UTC),
            "proxyEndpoint": f"http://{registry_host()}",
        }
        return ActionResult({"authorizationData": [issued]})

    plain_create = ECRResponse.create_repository
    if hasattr(plain_create, "plain"):
        plain_create = plain_create.plain

    def create_repository(self: ECRResponse) -> ActionResult:
        name = self._get_param("repositoryName")
        try:
            check_repository_name(name or "")
        except InvalidReference as error:
            raise refuse(
                "InvalidParameterException",
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression"
                " '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''",
            ) from error
        encryption = encryption_of(
            self._get_param("encryptionConfiguration"),
            account=store.account,
            region=store.backend.region_name,
        )
        answer: ActionResult = plain_create(self)
        repository = store.find_repository(name)
        assert repository is not None
        repository.encryption_configuration = encryption
        repository.created_at = datetime.fromtimestamp(store.now_s(), UTC)
        repository.repository_uri = f"{registry_host()}/{name}"  # type: ignore[attr-defined]
        return answer

    create_repository.plain = plain_create  # type: ignore[attr-defined]

    def describe_repositories(self: ECRResponse) -> ActionResult:
        names = self._get_param("repositoryNames")
        repositories: Sequence[Repository] = store.backend.describe_repositories(repository_names=names)
        if names:
            return ActionResult({"repositories": repositories})
        return _page(self, "repositories", sorted(repositories, key=lambda each: each.name))

    def describe_images(self: ECRResponse) -> ActionResult:
        repository = store.require_repository(self._get_param("repositoryName"))
        wanted = self._get_param("imageIds")
        if wanted:
            # moto's own lookup raises ImageNotFoundException as AWS does.
            images = [repository._get_image(each.get("imageTag"), each.get("imageDigest")) for each in wanted]
            return ActionResult({"imageDetails": [_detail(image) for image in dict.fromkeys(images)]})
        return _page(self, "imageDetails", [_detail(image) for image in _filtered(self, repository)])

    def list_images(self: ECRResponse) -> ActionResult:
        images = _filtered(self, store.require_repository(self._get_param("repositoryName")))
        ids = [
            {"imageDigest": image.get_image_digest()} | ({"imageTag": tag} if tag else {})
            for image in images
            for tag in (image.image_tags or [""])
        ]
        return _page(self, "imageIds", ids)

    def put_image(self: ECRResponse) -> ActionResult:
        repository = store.require_repository(self._get_param("repositoryName"))
        manifest = str(self._get_param("imageManifest")).encode()
        tag, claimed = self._get_param("imageTag"), self._get_param("imageDigest")
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        if claimed and claimed != digest:
            raise refuse(
                "ImageDigestDoesNotMatchException",
                f"The provided image digest '{claimed}' does not match the digest '{digest}' calculated by ECR",
            )
        existing = store.find_image(repository, tag or digest)
        if existing is not None and existing.get_image_digest() == digest:
            raise refuse(
                "ImageAlreadyExistsException",
                f"Image with digest '{digest}' and tag '{tag}' already exists in the repository with name"
                f" '{repository.name}' in registry with id '{store.account}'",
            )
        if (unreadable := why_unreadable(json.loads(manifest))) is not None:
            raise refuse("InvalidParameterException", unreadable)
        return ActionResult(
            {"image": store.put_image(repository, manifest, tag, self._get_param("imageManifestMediaType"))}
        )

    Image.get_image_size_in_bytes = size_bytes  # type: ignore[method-assign,assignment]
    for replacement in (
        get_authorization_token,
        create_repository,
        describe_repositories,
        describe_images,
        list_images,
        put_image,
    ):
        setattr(ECRResponse, replacement.__name__, replacement)
    for add in (add_batches, add_previews, add_scans, add_referrers, add_templates):
        add(store)
    name_identity(store.account)


def _check_region(self: ECRResponse, store: Images) -> None:
    here = store.backend.region_name
    if self.region != here:
        # The token would be accepted here, although the client wants another region's registry.
        raise refuse(
            "InvalidParameterException",
            f"The sandbox is region {here} alone, and {self.region} was asked for",
        )


def _filtered(self: ECRResponse, repository: Repository) -> list[Image]:
    status = (self._get_param("filter") or {}).get("tagStatus", "ANY")
    images: list[Image] = repository.images
    return [image for image in images if status == "ANY" or bool(image.image_tags) == (status == "TAGGED")]


def _detail(image: Image) -> Image:
    detail = copy.copy(image)
    if not detail.image_tags:
        # AWS leaves the member out if there is no tag.
        del detail.image_tags
    manifest = json.loads(image.image_manifest)
    more = {
        "subject_manifest_digest": subject_of(manifest),
        "artifact_media_type": artifact_type_of(manifest),
    }
    vars(detail).update({name: value for name, value in more.items() if value})
    return detail


def _page(self: ECRResponse, member: str, items: Sequence[Any]) -> ActionResult:
    size, token = self._get_param("maxResults") or _PAGE, self._get_param("nextToken")
    if not isinstance(size, int) or not 1 <= size <= _LARGEST_PAGE:
        raise refuse(
            "InvalidParameterException", "Invalid parameter at 'maxResults': must be between 1 and 1000"
        )
    try:
        page, following = page_of(items, token, size)
    except ValueError as error:
        raise refuse(
            "InvalidParameterException", "Invalid parameter at 'nextToken': not a valid token"
        ) from error
    return ActionResult({member: page} | ({"nextToken": following} if following else {}))
