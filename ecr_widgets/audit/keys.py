"""Signing keys: ECDSA on P-256, in one folder per user, outside all runs folders.

`$XDG_DATA_HOME/ecr-widgets/keys/` (0700) holds for each key `FINGERPRINT.json` with its public half and its times, and
`FINGERPRINT.pem` (0600) with the private half. A retired key keeps its public half, so that old seals can still be checked.
For a key in AWS KMS there is no private half here; the ring keeps its ARN. Ed25519 keys of earlier releases remain in use.
Other people's public halves are kept in `trusted/`, each accepted only with its fingerprint, which has to come by another channel
and also covers the key's times: otherwise anyone who passes on an export could hide that a key was retired. A known retirement
is never undone. Anyone who can read the private half can sign as you: then only a head that was exported elsewhere helps.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from ecr_widgets.audit.signatures import (
    LowS,
    Signer,
    der_of,
    is_signed_by_ed25519,
    is_signed_by_p256,
    new_private_key,
    pem_of_der,
    pem_of_ed25519,
    signer_of,
)
from ecr_widgets.disk import write_atomically
from ecr_widgets.errors import InputError, SettingsError
from ecr_widgets.model.record import Moment
from ecr_widgets.model.text import json_text
from ecr_widgets.model.user_folders import data_folder

_TRUSTED = "trusted"
_ED25519, _P256 = 1, 2
_PROBE = b"is this the private half?"
VALID_FOR = timedelta(days=730)
"""After this time a new key is made automatically; seals with a later date under the old one are an alarm."""


class KeyFile(msgspec.Struct, frozen=True):
    """The public half of a key and its times."""

    version: int
    """1 for Ed25519, 2 for ECDSA on P-256."""
    key: str
    """Its name in seals: the first 32 hex digits of the sha256 of the public key, in DER (for Ed25519, of its 32 bytes)."""
    public: str
    """In PEM; for Ed25519 the 32 bytes in base64."""
    created_at: Moment
    expires_at: Moment
    retired_at: Moment | None = None
    kms: str | None = None
    """The key's ARN if AWS KMS holds its private half."""

    @property
    def pem(self) -> str:
        """The public half in PEM, for other tools."""
        return pem_of_ed25519(self.public) if self.version == _ED25519 else self.public

    @property
    def valid_until(self) -> datetime:
        """The time after which it must not have signed."""
        return self.expires_at if self.retired_at is None else min(self.retired_at, self.expires_at)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the public half with its times: it changes when the key is retired."""
        return fingerprint(_encode(self))

    def strictest(self, other: KeyFile | None) -> KeyFile:
        """Return this key with the earlier ends of both, because a copy may claim to be valid for longer."""
        if other is None:
            return self
        ends = [key.retired_at for key in (self, other) if key.retired_at is not None]
        return msgspec.structs.replace(
            self, expires_at=min(self.expires_at, other.expires_at), retired_at=min(ends, default=None)
        )

    def signed(self, content: bytes, signature: bytes) -> bool:
        """Whether the signature over the content is by this key."""
        is_signed = is_signed_by_ed25519 if self.version == _ED25519 else is_signed_by_p256
        return is_signed(self.public, content, signature)


class KeyRing:
    """The keys in a folder.

    Args:
        folder: Where they are; created with the first key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def known(self) -> dict[str, KeyFile]:
        """Return all keys by name, own and trusted ones; a file whose name does not match its content is left out."""
        return _read(self.folder / _TRUSTED) | self.own()

    def own(self) -> dict[str, KeyFile]:
        """Return the user's own keys by name, including keys that were retired, even on another machine."""
        trusted = _read(self.folder / _TRUSTED)
        return {name: key.strictest(trusted.get(name)) for name, key in _read(self.folder).items()}

    def trust(self, exported: bytes, fingerprints: Collection[str]) -> list[KeyFile]:
        """Accept public halves that someone exported, one per line, so that their seals can be checked here.

        Args:
            fingerprints: The fingerprints that the owner sent by another channel than the file: only these keys are accepted.

        Returns:
            The keys as they are now known: a key that was known to be retired stays retired.

        Raises:
            InputError: It has no public halves, or not exactly those; nothing was accepted.

            SettingsError: The folder cannot be used.
        """
        try:
            keys = [_decode(line) for line in json_text(exported).splitlines() if line.strip()]
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InputError(
                f"not an exported key: {error}", hint="have its owner run `ecr-widgets audit key export`"
            ) from error
        for key in keys:
            if key.key != _name_of(key):
                raise InputError(
                    f"key {key.key!r:.40} is not what its fingerprint says", hint="do not use it"
                )
        if not keys or {key.fingerprint for key in keys} != set(fingerprints):
            in_file = ", ".join(key.fingerprint for key in keys) or "none"
            raise InputError(
                f"the keys in the file, or their times, are not those of the given fingerprints: {in_file}",
                hint="ask the owner, by another channel than the file came, for the fingerprints that `ecr-widgets audit key"
                " export` prints, and give each with --fingerprint",
            )
        try:
            with self._lock():
                (self.folder / _TRUSTED).mkdir(mode=0o700, exist_ok=True)
                known = self.known()
                for key in keys:
                    known[key.key] = key.strictest(known.get(key.key))
                    self._write(f"{_TRUSTED}/{key.key}.json", _encode(known[key.key]))
        except OSError as error:
            raise self._unusable("keys cannot be kept", error) from error
        return [known[name] for name in dict.fromkeys(key.key for key in keys)]

    def trouble(self, key: str) -> str | None:
        """Return why a private half is not safe to use, or None; also None if there is no private half."""
        try:
            about = os.lstat(self._private(key))
        except OSError:
            return None
        if not stat.S_ISREG(about.st_mode):
            return "its private half is not a regular file"
        if about.st_mode & 0o077:
            return (
                f"its private half has mode {stat.S_IMODE(about.st_mode):04o}: others may have signed with it"
            )
        return None

    def signing_key(self, *, now: datetime) -> tuple[KeyFile, Signer]:
        """Return the key to sign with; a new one is made if none is still valid.

        Raises:
            SettingsError: The private half is readable by others, or the folder cannot be used.
        """
        try:
            with self._lock():
                usable = [
                    key
                    for key in self.own().values()
                    if key.valid_until > now and (key.kms or self._private(key.key).exists())
                ]
                key = max(usable, key=lambda key: key.created_at) if usable else self._make(now)
            trouble = self.trouble(key.key)
            if trouble:
                raise SettingsError(
                    f"key {key.key} in {str(self.folder)!r} is not used: {trouble}",
                    hint="check who could have read it, then `ecr-widgets audit rotate-key`",
                )
            return key, _in_kms(key.kms) if key.kms else self._signer(key)
        except (OSError, ValueError) as error:
            if isinstance(error, SettingsError):
                raise
            raise self._unusable("no signing key", error) from error

    def _unusable(self, what: str, error: OSError | ValueError) -> SettingsError:
        if isinstance(error, OSError):
            return SettingsError(
                f"{what} in {str(self.folder)!r}: {error.strerror}",
                hint="set XDG_DATA_HOME to a folder that this user can write",
            )
        return SettingsError(f"{what} in {str(self.folder)!r}: {error}")

    def _signer(self, key: KeyFile) -> Signer:
        signer = signer_of(self._private(key.key).read_bytes())
        if not key.signed(_PROBE, signer.sign(_PROBE)):
            raise ValueError(f"the private half kept for key {key.key} belongs to another key")
        return signer

    def rotate(self, *, now: datetime, kms: str | None = None) -> KeyFile:
        """Retire all keys, delete their private halves and make a new key.

        Args:
            kms: ARN of a key in AWS KMS that signs from now on, instead of one made here.

        Raises:
            SettingsError: The folder or the key in KMS cannot be used; nothing was retired.
        """
        public = None if kms is None else _public_in_kms(kms)
        try:
            with self._lock():
                for key in self.own().values():
                    if key.retired_at is None:
                        self._write(f"{key.key}.json", _encode(msgspec.structs.replace(key, retired_at=now)))
                    self._private(key.key).unlink(missing_ok=True)
                return self._make(now) if public is None else self._keep(public, now, kms)
        except OSError as error:
            raise self._unusable("no signing key", error) from error

    def _make(self, now: datetime) -> KeyFile:
        private, public = new_private_key()
        self._write(f"{_fingerprint_of(public)}.pem", private)
        return self._keep(public, now)

    def _keep(self, public: str, now: datetime, kms: str | None = None) -> KeyFile:
        made_at = now.astimezone(UTC)
        key = KeyFile(_P256, _fingerprint_of(public), public, made_at, made_at + VALID_FOR, kms=kms)
        self._write(f"{key.key}.json", _encode(key))
        return key

    def _private(self, key: str) -> Path:
        return self.folder / f"{key}.pem"

    def _write(self, name: str, content: bytes) -> None:
        write_atomically(self.folder / name, content, mode=0o600)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.stat().st_uid != os.geteuid():
            raise SettingsError(
                f"keys are not kept in {str(self.folder)!r}: it belongs to another user",
                hint="set XDG_DATA_HOME to your own folder",
            )
        handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def default_ring() -> KeyRing:
    """The user's own keys."""
    return KeyRing(data_folder() / "keys")


def export_keys(keys: Iterable[KeyFile]) -> str:
    """Return public halves as text to give to others, one per line; it contains no secret."""
    return "\n".join(_encode(key).decode() for key in keys)


def _read(folder: Path) -> dict[str, KeyFile]:
    by_name = {}
    try:
        # If the folder is another user's, as after `su` with XDG_DATA_HOME set, that user would decide whom to trust.
        paths = sorted(folder.glob("*.json")) if folder.stat().st_uid == os.geteuid() else []
    except OSError:
        return {}
    for path in paths:
        try:
            key = _decode(path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            continue
        if key.key == path.stem == _name_of(key):
            by_name[key.key] = key
    return by_name


def _name_of(key: KeyFile) -> str | None:
    try:
        return fingerprint(b64decode(key.public)) if key.version == _ED25519 else _fingerprint_of(key.public)
    except ValueError:
        return None


def _fingerprint_of(public_pem: str) -> str:
    return fingerprint(der_of(public_pem))


def _in_kms(arn: str) -> Signer:
    # Most users have no such key, and loading boto3 takes longer than everything else here.
    from ecr_widgets.adapters.kms import KmsKey

    return LowS(KmsKey(arn).sign)


def _public_in_kms(arn: str) -> str:
    from ecr_widgets.adapters.kms import KIND, KmsKey

    try:
        return pem_of_der(KmsKey(arn).read_public_key())
    except ValueError as error:
        raise SettingsError(f"{arn} is not an ECDSA key on P-256", hint=KIND) from error


def fingerprint(public: bytes) -> str:
    """The beginning of a sha256, long enough that nobody can make another key with the same one."""
    return hashlib.sha256(public).hexdigest()[:32]


def _encode(key: KeyFile) -> bytes:
    # Without `kms` if it is empty, so that fingerprints that were given out before it existed stay the same.
    members = msgspec.to_builtins(key)
    return msgspec.json.encode(members if key.kms else {n: v for n, v in members.items() if n != "kms"})


_decode = msgspec.json.Decoder(KeyFile).decode
