"""Rows 90 to 95: evidence on images that is changed, swapped, foreign, bloated, or attached where no list is kept."""

from __future__ import annotations

import hashlib
import json
import random
import re
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ecr_widgets.adapters.registry_referrers import make_listed
from ecr_widgets.audit import of_image
from ecr_widgets.audit.attestation import bundle_of, read_bundle
from ecr_widgets.audit.chain import chain_file
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.verify import verify
from ecr_widgets.model.evidence import RUN_TYPE
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.referrers import IMAGE_INDEX, IMAGE_MANIFEST, Manifest, Referrer, Referrers
from tests.audit.attested import NOW, Attested, resigned
from tests.audit.runs import seals_in
from tests.faults.plan import batch

_OF_EDITORS = re.compile(r'"(?:kernelspec|language_info)": \{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}')
"""What a notebook holds that is no evidence: editors write it by themselves, and no seal is over it."""

Counts = tuple[int, int, str]


def _each(
    tries: int, seed: int, attack: Callable[[Attested, random.Random, int], tuple[bool, bool]]
) -> tuple[int, int]:
    """How often something was missed, and how often the control, which looks less closely, saw nothing."""
    chance, missed, blind = random.Random(seed), 0, 0
    for number in range(tries):
        with tempfile.TemporaryDirectory(prefix="ft-") as made:
            held, unseen = attack(Attested.in_memory(Path(made)), chance, number)
        missed += not held
        blind += unseen
    return missed, blind


def _counts_for_a_list(here: Attested, image: ImageReference, referrer: str) -> bool:
    """What a reader concludes who believes types and notes in a list: that it is a statement about a run of the image."""
    entries = here.registry.list_referrers(image, here.token).entries
    return any(
        each.digest == referrer and each.annotations.get(of_image.PREDICATE_NOTE) == RUN_TYPE
        for each in entries
    )


@batch(
    90, "a sealed notebook that is changed by one character, anywhere in what it says", tries=400, quick=40
)
def changed_notebook(tries: int, seed: int) -> Counts:
    """The file is named as changed, and the statement about it does not change: hashes in it are of the file as it was."""

    def attack(here: Attested, chance: random.Random, number: int) -> tuple[bool, bool]:
        image = here.image()
        run = here.seal(image)
        path = here.runs / "run-1.ipynb"
        text = path.read_text()
        said = _OF_EDITORS.sub(lambda found: " " * len(found[0]), text)
        places = [at for at, sign in enumerate(said) if sign.isalnum() and sign not in "uneE0"]
        at = chance.choice(places)
        path.write_text(f"{text[:at]}{'x' if text[at] != 'x' else 'y'}{text[at + 1 :]}")
        found = verify(here.runs, ["run-1.ipynb"], ring=here.ring)
        named = [each.path for each in found.files if each.finding == "changed"] == ["run-1.ipynb"]
        try:
            readable = json.loads(path.read_text())["metadata"]["ecr_widgets"]["state"] == "succeeded"
        except (ValueError, LookupError, TypeError):
            readable = False
        return named and not found.ok and here.attach(run)[0].state == "attached", readable

    missed, blind = _each(tries, seed, attack)
    return missed, blind, f"control: by its own words it succeeded, {blind} of {tries}"


@batch(
    91,
    "a seal of another run, of an earlier attempt, or of another image in the place of the right one",
    tries=300,
    quick=30,
)
def swapped_seal(tries: int, seed: int) -> Counts:
    """In the chain it does not follow, and on the image it does not count for what it is not about."""

    def attack(here: Attested, chance: random.Random, number: int) -> tuple[bool, bool]:
        image, other = here.image("1"), here.image("2")
        here.seal(image, "run-1", kind=("failed", "proven")[number % 2])
        other_run = here.seal(other, "run-2", hours=1)
        if number % 3:
            lines = seals_in(chain_file(here.runs).read_bytes())
            lines[0], lines[1] = (lines[1], lines[0]) if number % 3 == 1 else (lines[1], lines[1])
            chain_file(here.runs).write_bytes(b"".join(lines))
            found = verify(here.runs, ["run-1.ipynb", "run-2.ipynb"], ring=here.ring)
            signed = all(_is_signed(line.splitlines()[-1], here.ring) for line in lines)
            return bool(found.chain) and not found.ok, signed
        referrer = here.put(image, other_run.line)
        found_there = here.evidence(image)
        (key,) = here.ring.known().values()
        envelope = read_bundle(other_run.line)
        return not found_there.proofs, key.signed(envelope.signed, envelope.signature) and bool(referrer)

    missed, blind = _each(tries, seed, attack)
    return missed, blind, f"control: who looks at signatures alone is content, {blind} of {tries}"


def _is_signed(line: bytes, ring: KeyRing) -> bool:
    envelope = read_bundle(line)
    return ring.known()[envelope.key].signed(envelope.signed, envelope.signature)


@batch(
    92,
    "a statement by another key: under its own name, under the known one's, by one that is retired",
    tries=300,
    quick=30,
)
def wrong_key(tries: int, seed: int) -> Counts:
    """Whoever may push attaches it; it does not count, and is named with the reason."""

    def attack(here: Attested, chance: random.Random, number: int) -> tuple[bool, bool]:
        image = here.image()
        run = here.seal(image)
        eve = KeyRing(here.folder / "eve")
        kind = number % 3
        line = resigned(run, eve)
        if kind == 1:
            line = bundle_of(read_bundle(line)._replace(key=run.seal.key))
        if kind == 2:
            here.ring.rotate(now=NOW - timedelta(seconds=chance.randrange(1, 9999)))
            line = run.line
        referrer = here.put(image, line)
        found = here.evidence(image)
        held = not found.proofs and [each.referrer for each in found.discounted] == [referrer]
        return held, _counts_for_a_list(here, image, referrer)

    missed, blind = _each(tries, seed, attack)
    return missed, blind, f"control: a list's types and notes are content, {blind} of {tries}"


@batch(
    93,
    "a statement about another digest, hung on this image: by its list, its manifest or its subject",
    tries=300,
    quick=30,
)
def other_digest(tries: int, seed: int) -> Counts:
    """What counts is what was signed: that its run acted on just this image."""

    def attack(here: Attested, chance: random.Random, number: int) -> tuple[bool, bool]:
        image, other = here.image("1"), here.image("2")
        run = here.seal(other)
        old, new = (str(each.digest).removeprefix("sha256:").encode() for each in (other, image))
        kind = number % 3
        if kind == 0:
            line = run.line
        elif kind == 1:
            envelope = read_bundle(run.line)
            line = bundle_of(envelope._replace(payload=envelope.payload.replace(old, new)))
        else:
            subject = b'"digest":{"sha256":"' + old
            line = resigned(run, here.ring, (subject, subject.replace(old, new)))
        referrer = here.put(image, line)
        return not here.evidence(image).proofs, _counts_for_a_list(here, image, referrer)

    missed, blind = _each(tries, seed, attack)
    return missed, blind, f"control: the registry lists each with the image, {blind} of {tries}"


@batch(
    94,
    "up to 10,000 referrers on one image, junk of every kind before the one that counts",
    tries=30,
    quick=4,
)
def bloated(tries: int, seed: int) -> Counts:
    """A bounded number is read, what was left out is said, and nothing of it proves anything."""

    def attack(here: Attested, chance: random.Random, number: int) -> tuple[bool, bool]:
        image = here.image()
        run = here.seal(image)
        here.attach(run)
        junk = here.put(image, b"junk")
        (ours,) = [
            each for each in here.registry.list_referrers(image, here.token).entries if each.digest != junk
        ]
        kinds: tuple[Callable[[int], dict[str, Any]], ...] = (
            lambda n: {"artifact_type": ours.artifact_type, "annotations": ours.annotations},
            lambda n: {"artifact_type": "application/spdx+json"},
            lambda n: {},
            lambda n: {"artifact_type": ours.artifact_type, "size_bytes": 1 << 40},
        )
        many = []
        for n in range(chance.randrange(1_000, 10_000)):
            about = {"size_bytes": 9} | kinds[(n + number) % len(kinds)](n)
            many.append(Referrer(f"sha256:{n:064x}", ours.media_type, **about))
        reads = 0
        read = here.registry.read_manifest

        def counted(named: ImageReference, token: Any) -> Any:
            nonlocal reads
            reads += 1
            return read(named, token)

        listed = Referrers((*many[:999], ours), "more than 1,000 are listed")
        only_type = Referrers(
            (*(each for each in many if each.artifact_type == ours.artifact_type), ours)[:1_000]
        )

        def lists(*_: Any, artifact_type: str = "") -> Referrers:
            return only_type if artifact_type else listed

        here.registry.read_manifest = counted  # type: ignore[method-assign]
        here.registry.list_referrers = lists  # type: ignore[method-assign]
        found = here.evidence(image)
        held = reads <= of_image.MAX_READ and bool(found.left_out) and len(found.proofs) <= 1
        return held, len(many) > of_image.MAX_READ

    missed, blind = _each(tries, seed, attack)
    return missed, blind, f"control: without a bound, thousands of requests for one look, {blind} of {tries}"


@batch(
    95,
    "two writers attach at once where the registry keeps no list, and one overwrites the other's tag",
    tries=200,
    quick=20,
)
def without_list(tries: int, seed: int) -> Counts:
    """The tag is read back and written again; what is lost later all the same, `attest --missing` finds and makes up for."""
    chance, missed, blind = random.Random(seed), 0, 0
    for _ in range(tries):
        for naive in (False, True):
            registry = _TagOnly(chance.randrange(1, 4))
            if naive:
                registry.overwritten = 1
                manifests = [*registry.entries(), {"digest": _OURS}]
                registry.put_manifest("sha256-x", json.dumps({"manifests": manifests}).encode(), IMAGE_INDEX)
            else:
                make_listed(registry, _REFERRER)  # type: ignore[arg-type]
            digests = {each["digest"] for each in registry.entries()}
            if naive:
                blind += _OURS not in digests
            else:
                missed += not {_OURS, "sha256:other"} <= digests
    return missed, blind, f"control: read, append and write once, and the entry is lost, {blind} of {tries}"


_REFERRER = json.dumps(
    {"mediaType": IMAGE_MANIFEST, "subject": {"digest": "sha256:x"}, "artifactType": "a/b"}
).encode()
_OURS = f"sha256:{hashlib.sha256(_REFERRER).hexdigest()}"


class _TagOnly:
    """A registry without a list, in which another writer overwrites the tag after each of our first writes."""

    image = ImageReference("registry.test", "app")

    def __init__(self, overwritten: int) -> None:
        self.overwritten = overwritten
        self._under_tag = b""

    def entries(self) -> list[Any]:
        return list(json.loads(self._under_tag)["manifests"]) if self._under_tag else []

    def ask(self, *_: Any) -> tuple[Any, bytes]:
        return SimpleNamespace(status=404, headers={}), b""

    def find_manifest(self, _tag: str) -> Manifest | None:
        return Manifest("sha256:0", IMAGE_INDEX, self._under_tag) if self._under_tag else None

    def put_manifest(self, _tag: str, content: bytes, _kind: str) -> None:
        self._under_tag = content
        if self.overwritten:
            self.overwritten -= 1
            others = [each for each in self.entries() if each["digest"] != _OURS] or [
                {"digest": "sha256:other"}
            ]
            self._under_tag = json.dumps({"manifests": others}).encode()
