"""The registry endpoint: OCI distribution, with ECR's errors.

Source: OCI distribution specification 1.1; Amazon ECR's error texts as the docker command shows them.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import tornado.web
from moto.core.exceptions import ServiceException
from moto.ecr.models import Repository

from ecr_widgets.model.referrers import IMAGE_INDEX
from ecr_widgets.sandbox.ecr.blobs import Blobs
from ecr_widgets.sandbox.ecr.call_log import CallLog
from ecr_widgets.sandbox.ecr.images import Images
from ecr_widgets.sandbox.ecr.referrers import page_of, referrers_of, subject_of, why_unreadable
from ecr_widgets.sandbox.ecr.tokens import Entry, Tokens
from ecr_widgets.sandbox.visitors import refuse_visitor

Journal = Callable[[dict[str, Any]], None]

LARGEST_MANIFEST_BYTES = 4 * 1024 * 1024
_NAME = r"([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
_DIGEST = r"(sha256:[0-9a-f]{64})"


def application(
    store: Images,
    blobs: Blobs,
    tokens: Tokens,
    *,
    journal: Journal,
    calls: CallLog,
    own_host: Callable[[], str],
) -> tornado.web.Application:
    """The endpoint's routes.

    Args:
        own_host: Returns its address and port, once it listens.
    """
    return tornado.web.Application(
        [
            (r"/v2/?", _Root),
            (rf"/v2/{_NAME}/blobs/uploads/?", _StartUpload),
            (rf"/v2/{_NAME}/blobs/uploads/([0-9a-f]{{32}})", _Upload),
            (rf"/v2/{_NAME}/blobs/{_DIGEST}", _Blob),
            (rf"/v2/{_NAME}/manifests/([^/]+)", _Manifest),
            (rf"/v2/{_NAME}/tags/list", _Tags),
            (rf"/v2/{_NAME}/referrers/([^/]+)", _Referrers),
        ],
        store=store,
        blobs=blobs,
        tokens=tokens,
        journal=journal,
        calls=calls,
        own_host=own_host,
        log_function=lambda _: None,
    )


class _Handler(tornado.web.RequestHandler):
    repository: Repository

    def initialize(self) -> None:
        self.store: Images = self.settings["store"]
        self.blobs: Blobs = self.settings["blobs"]

    def prepare(self) -> None:
        self.set_header("Docker-Distribution-Api-Version", "registry/2.0")
        headers = self.request.headers
        refused = refuse_visitor(
            host=headers.get("Host"),
            origin=headers.get("Origin"),
            own_host=self.settings["own_host"](),
            any_port=True,
        )
        if refused is not None:
            self.refuse(403, "DENIED", refused)
            return
        entry = self.settings["tokens"].judge(self.request.headers.get("Authorization"))
        if entry is Entry.UNKNOWN:
            self.set_header("WWW-Authenticate", 'Basic realm="ECR",service="ecr.amazonaws.com"')
            self.refuse(401, "UNAUTHORIZED", "Not Authorized")
        elif entry is Entry.EXPIRED:
            self.refuse(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
        elif self.path_args:
            name = self.path_args[0]
            repository = self.store.find_repository(name)
            if repository is None:
                account = self.store.account
                self.refuse(
                    404,
                    "NAME_UNKNOWN",
                    f"The repository with name '{name}' does not exist in the registry with id '{account}'",
                )
            else:
                self.repository = repository

    def refuse(self, status: int, code: str, message: str) -> None:
        """Send an error in the registry's format."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"errors": [{"code": code, "message": message}]}))

    def created(self, path: str, digest: str) -> None:
        self.set_status(201)
        self.set_header("Location", f"/v2/{self.repository.name}/{path}/{digest}")
        self.set_header("Docker-Content-Digest", digest)
        self.finish()

    def write_error(self, status_code: int, **_: Any) -> None:
        self.refuse(status_code, "UNSUPPORTED" if status_code == 405 else "UNKNOWN", self._reason)

    def called(self, operation: str, **parameters: Any) -> None:
        """Log a change as the ECR API call that would have had the same effect."""
        self.settings["calls"].add(operation, {"repositoryName": self.repository.name, **parameters})


class _Root(_Handler):
    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish("{}")


class _Blob(_Handler):
    async def get(self, _: str, digest: str) -> None:
        if not self.blobs.has(self.repository.name, digest):
            return self.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        path = self.blobs.path(digest)
        self.set_header("Content-Length", path.stat().st_size)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Docker-Content-Digest", digest)
        if self.request.method != "HEAD":
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    self.write(chunk)
                    await self.flush()
        return await self.finish()

    head = get


class _StartUpload(_Handler):
    def post(self, _: str) -> None:
        digest, source = self.get_query_argument("mount", None), self.get_query_argument("from", "")
        if digest and self.blobs.mount(digest, source=source or "", target=self.repository.name):
            return self.created("blobs", digest)
        upload_id = self.blobs.start()
        whole = self.get_query_argument("digest", None)
        if whole:
            upload = self.blobs.find_upload(upload_id)
            assert upload is not None
            upload.append(self.request.body)
            if not self.blobs.finish(upload_id, self.repository.name, whole):
                return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
            return self.created("blobs", whole)
        self.set_status(202)
        self.set_header("Location", f"/v2/{self.repository.name}/blobs/uploads/{upload_id}")
        self.set_header("Docker-Upload-UUID", upload_id)
        self.set_header("Range", "0-0")
        return None


@tornado.web.stream_request_body
class _Upload(_Handler):
    def prepare(self) -> None:
        super().prepare()
        self.upload = None if self._finished else self.blobs.find_upload(self.path_args[1])
        if self.upload is None and not self._finished:
            self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        # A layer may be of any size; it goes to disk as it arrives.
        self.request.connection.set_max_body_size(1 << 40)  # type: ignore[union-attr]

    async def data_received(self, chunk: bytes) -> None:
        if self.upload is not None:
            await asyncio.get_running_loop().run_in_executor(None, self.upload.append, chunk)

    def patch(self, _: str, upload_id: str) -> None:
        assert self.upload is not None
        self.set_status(202)
        self.set_header("Location", f"/v2/{self.repository.name}/blobs/uploads/{upload_id}")
        self.set_header("Docker-Upload-UUID", upload_id)
        self.set_header("Range", f"0-{max(self.upload.size_bytes - 1, 0)}")

    def put(self, _: str, upload_id: str) -> None:
        digest = self.get_query_argument("digest", "") or ""
        if not self.blobs.finish(upload_id, self.repository.name, digest):
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        return self.created("blobs", digest)

    def delete(self, _: str, upload_id: str) -> None:
        self.blobs.cancel(upload_id)
        self.set_status(204)


class _Manifest(_Handler):
    def get(self, _: str, reference: str) -> None:
        image = self.store.find_image(self.repository, reference)
        if image is None:
            return self.refuse(404, "MANIFEST_UNKNOWN", "Requested image not found")
        body = image.image_manifest.encode()
        self.set_header("Content-Type", image.image_manifest_media_type or "application/json")
        self.set_header("Docker-Content-Digest", image.get_image_digest())
        self.set_header("Content-Length", len(body))
        if self.request.method != "HEAD":
            self.store.pulled(image)
            self.called("BatchGetImage", imageIds=[{"imageDigest": image.get_image_digest()}])
            self.write(body)
        self.finish()
        return None

    head = get

    def put(self, _: str, reference: str) -> None:
        body = self.request.body
        try:
            manifest = json.loads(body) if len(body) <= LARGEST_MANIFEST_BYTES else None
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict):
            return self.refuse(400, "MANIFEST_INVALID", "manifest invalid")
        if (unreadable := why_unreadable(manifest)) is not None:
            return self.refuse(405, "UNSUPPORTED", unreadable)
        parts = [*(manifest.get("layers") or ()), *([manifest["config"]] if "config" in manifest else ())]
        missing = [
            part["digest"]
            for part in parts
            # Layers that are stored elsewhere stay there.
            if not part.get("urls") and not self.blobs.has(self.repository.name, part["digest"])
        ]
        missing += [
            child["digest"]
            for child in manifest.get("manifests") or ()
            if self.store.find_image(self.repository, child["digest"]) is None
        ]
        if missing:
            return self.refuse(404, "BLOB_UNKNOWN", f"blob unknown to registry: {missing[0]}")
        by_digest = reference.startswith("sha256:")
        tag, media_type = None if by_digest else reference, self.request.headers.get("Content-Type")
        try:
            image = self.store.put_image(self.repository, body, tag, media_type)
        except ServiceException as error:
            return self.refuse(400, "TAG_INVALID", str(error.message))
        digest = image.get_image_digest()
        if by_digest and digest != reference:
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.called("PutImage", imageManifest=body.decode(), imageTag=tag, imageManifestMediaType=media_type)
        self.settings["journal"](
            {
                "server": "registry",
                "method": "PUT",
                "path": self.request.path,
                "status": 201,
                "digest": digest,
            }
        )
        if subject := subject_of(manifest):
            self.set_header("OCI-Subject", subject)
        return self.created("manifests", digest)


class _Tags(_Handler):
    def get(self, name: str) -> None:
        tags = sorted(tag for image in self.repository.images for tag in image.image_tags)
        last, size = self.get_query_argument("last", ""), int(self.get_query_argument("n", "1000") or 1000)
        self.finish({"name": name, "tags": [tag for tag in tags if tag > (last or "")][:size]})


class _Referrers(_Handler):
    def get(self, name: str, digest: str) -> None:
        if not re.fullmatch(_DIGEST, digest):
            return self.refuse(400, "DIGEST_INVALID", "provided digest is no digest")
        wanted = self.get_query_argument("artifactType", "") or ""
        entries = referrers_of(self.repository, digest, (wanted,) if wanted else ())
        try:
            page, following = page_of(entries, self.get_query_argument("nextToken", None))
        except ValueError:
            return self.refuse(400, "UNSUPPORTED", "Invalid parameter at 'nextToken'")
        if wanted:
            self.set_header("OCI-Filters-Applied", "artifactType")
        if following:
            query = urlencode({"nextToken": following} | ({"artifactType": wanted} if wanted else {}))
            self.set_header("Link", f'</v2/{name}/referrers/{digest}?{query}>; rel="next"')
        self.set_header("Content-Type", IMAGE_INDEX)
        self.finish(json.dumps({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": page}))
        return None
