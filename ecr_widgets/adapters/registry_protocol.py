"""What all requests to a registry share, and what its answers mean.

Source: OCI distribution specification, "Errors"; OCI image specification, "Media Types".
"""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from typing import Any

import urllib3

from ecr_widgets.adapters.engine_events import MAY_IT
from ecr_widgets.errors import AuthorizationError, RegistryError, RegistryUnavailable, RepositoryNotFound
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.loopback import is_loopback

MANIFESTS = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_SHOWN = 200
_WHOLE_WORDS = re.compile(r"""(?s:.*)[\s"'<>,;]""")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def base_url(image: ImageReference) -> str:
    """Base URL of the repository in the registry's API."""
    scheme = "http" if is_loopback(image.registry or "") else "https"
    return f"{scheme}://{image.registry}/v2/{image.repository}"


def authorization(token: AuthorizationToken) -> dict[str, str]:
    """The header with the token."""
    password = base64.b64encode(f"{token.user}:{token.password}".encode()).decode()
    return {"Authorization": f"Basic {password}"}


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
            hint=MAY_IT,
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
        f"what answers at {what}", hint="check the registry's address, and any proxy on the way"
    )


def errors_in(body: bytes) -> tuple[set[str], str]:
    """Error codes and text of an answer; no codes if it is not in the registries' error format."""
    with suppress(ValueError, RecursionError):
        value: Any = json.loads(body)
        listed = value.get("errors") if isinstance(value, dict) else None
        errors = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        if errors:
            texts = [str(each["message"]) for each in errors if each.get("message")]
            return {str(each.get("code")) for each in errors}, shortened("; ".join(texts))
    # A character takes at most four bytes; one extra character shows that there is more.
    return set(), shortened(body[: 4 * _SHOWN + 4].decode(errors="replace").strip())


def shortened(text: str) -> str:
    """At most 200 characters of it. A word that would be cut is left out: half a secret would not be recognised as one."""
    if len(text) <= _SHOWN:
        return text
    words = _WHOLE_WORDS.match(text[: _SHOWN - 1])
    return (words[0].rstrip() if words else "") + "…"
