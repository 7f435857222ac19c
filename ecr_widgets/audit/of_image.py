"""All runs of one image, from its registry alone: what is attached to it and checked, and what does not count and why.

Only what a known key signed is trusted, nothing else that a registry says: neither types and annotations in a list, nor where
a statement was found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ecr_widgets.audit.attestation import BUNDLE_TYPE, STATEMENT_TYPE, Envelope, Statement, read_bundle
from ecr_widgets.audit.keys import KeyFile
from ecr_widgets.audit.seal import Seal
from ecr_widgets.errors import AuthorizationError, RegistryError
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.evidence import RUN_TYPE, Discounted, ImageEvidence, Proof
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import Referrer, Referrers
from ecr_widgets.model.times import to_rfc3339
from ecr_widgets.ports import Registry

MAX_READ = 200
"""How many statements of one image are read; each takes two requests."""
MAX_MANIFEST_BYTES = 64_000
MAX_BUNDLE_BYTES = 128_000
_AT_ONCE = 8
PREDICATE_NOTE = "dev.sigstore.bundle.predicateType"
"""The annotation in which a manifest says what kind of statement its bundle has."""


def evidence_of(
    image: ImageReference, registry: Registry, token: AuthorizationToken, keys: Mapping[str, KeyFile]
) -> ImageEvidence:
    """Return what is attached to an image.

    Args:
        image: The image, by digest.

        keys: The trusted keys, by name.

    Raises:
        AuthorizationError: The token was refused or has expired.

        RegistryError: The registry did not list what is attached.
    """
    listed = registry.list_referrers(image, token)
    if listed.left_out:
        # Others may have attached any number of other things to it.
        ours = registry.list_referrers(image, token, artifact_type=BUNDLE_TYPE)
        listed = Referrers((*ours.entries, *listed.entries), listed.left_out, listed.by_tag)
    entries = {each.digest: each for each in listed.entries}
    due = [each for each in entries.values() if _may_be_ours(each)]
    left_out = listed.left_out or (
        f"more than {MAX_READ} statements are attached" if len(due) > MAX_READ else ""
    )
    reader = _Reader(image, registry, token, keys)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        statements = list(threads.map(reader.read, due[:MAX_READ]))
    left_out = left_out or reader.unread
    others = [_other(each) for each in entries.values() if not _may_be_ours(each)]
    proofs = [each for each in statements if isinstance(each, Proof)]
    return ImageEvidence(
        str(image),
        tuple(sorted(proofs, key=lambda each: (each.sealed_at, each.n))),
        tuple(each for each in statements if isinstance(each, Discounted)),
        tuple(others),
        left_out,
    )


def _may_be_ours(entry: Referrer) -> bool:
    if entry.artifact_type == BUNDLE_TYPE:
        return entry.annotations.get(PREDICATE_NOTE, RUN_TYPE) == RUN_TYPE
    # Some tools write a fallback list without types, or with the type of an empty config.
    return entry.artifact_type in ("", "application/vnd.oci.empty.v1+json")


def _other(entry: Referrer) -> Discounted:
    is_bundle = entry.artifact_type == BUNDLE_TYPE
    return Discounted(entry.digest, entry.annotations[PREDICATE_NOTE] if is_bundle else entry.artifact_type)


class _Reader:
    """Reads and checks what is attached to one image."""

    def __init__(
        self,
        image: ImageReference,
        registry: Registry,
        token: AuthorizationToken,
        keys: Mapping[str, KeyFile],
    ) -> None:
        self._image = image
        self._registry = registry
        self._token = token
        self._keys = keys
        self.unread = ""
        """A statement that could not be read because of a temporary failure, and why."""

    def read(self, entry: Referrer) -> Proof | Discounted:
        """Return the proof in one entry of the list, or why it does not count."""
        try:
            return proof_in(self._bundle(entry), self._image.digest or "", entry.digest, self._keys)
        except AuthorizationError:
            raise
        except (RegistryError, ValueError) as error:
            if isinstance(error, RegistryError) and error.retryable:
                self.unread = f"{entry.digest}: {error.message}"
            return Discounted(entry.digest, str(error)[:300])

    def _bundle(self, entry: Referrer) -> bytes:
        if entry.size_bytes > MAX_MANIFEST_BYTES:
            raise ValueError(f"its manifest is larger than {MAX_MANIFEST_BYTES // 1000} kB")
        manifest = self._registry.read_manifest(self._image.with_digest(entry.digest), self._token)
        try:
            members: dict[str, Any] = json.loads(manifest.content)
            subject, (layer,) = members["subject"]["digest"], members["layers"]
            digest, size_bytes, kind = str(layer["digest"]), int(layer["size"]), members.get("artifactType")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("its manifest is not that of a statement") from error
        if subject != self._image.digest:
            raise ValueError("its manifest is about another image")
        if kind != BUNDLE_TYPE:
            raise ValueError(f"its manifest is of type {str(kind)[:100]}")
        if size_bytes > MAX_BUNDLE_BYTES:
            raise ValueError(f"it is larger than {MAX_BUNDLE_BYTES // 1000} kB")
        return self._registry.read_blob(self._image, digest, self._token, largest_bytes=MAX_BUNDLE_BYTES)


def proof_in(bundle: bytes, digest: str, referrer: str, keys: Mapping[str, KeyFile]) -> Proof:
    """Check a bundle: its key, type and subject, and that the run acted on the image.

    Args:
        digest: The digest of the image that it should be about.

        referrer: The digest of the manifest that refers to it.

    Raises:
        ValueError: It does not count; the text says why.
    """
    try:
        envelope = read_bundle(bundle)
    except ValueError as error:
        raise ValueError(f"it is not a seal: {error}") from error
    key = keys.get(envelope.key)
    if key is None:
        raise ValueError(f"it is signed by key {envelope.key[:64]}, which is not known here")
    if not key.signed(envelope.signed, envelope.signature):
        raise ValueError("its signature is wrong: it was changed, or made without the key")
    seal = _seal_in(envelope)
    if seal.sealed_at > key.valid_until:
        raise ValueError(f"it is dated after the end of key {key.key}")
    if digest not in seal.run.digests:
        raise ValueError("the run did not act on this image")
    note = f"key {key.key} was retired {to_rfc3339(key.retired_at)}" if key.retired_at else ""
    return Proof(referrer, seal.run, seal.sealed_at, key.key, seal.chain.project, seal.n, note)


def _seal_in(envelope: Envelope) -> Seal:
    """Return the run's seal in a verified envelope.

    Raises:
        ValueError: It holds something else, or contradicts itself.
    """
    try:
        statement = _decode(envelope.payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"it is not about a run: {str(error)[:120]}") from error
    seal = statement.predicate
    if (statement.type, statement.predicateType) != (STATEMENT_TYPE, RUN_TYPE) or seal.retired:
        raise ValueError(f"it says something else: {statement.predicateType[:100]}")
    if seal.key != envelope.key:
        raise ValueError("it names another key than the one that signed it")
    if not _hex(seal.run.digests) <= statement.sha256s:
        raise ValueError("it is not about the images that its run acted on")
    return seal


def _hex(digests: Iterable[str]) -> frozenset[str]:
    return frozenset(each.removeprefix("sha256:") for each in digests)


_decode = msgspec.json.Decoder(Statement[Seal]).decode
