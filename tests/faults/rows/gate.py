"""Row 120: ways around a gate: evidence that is forged, old, of something else or taken back, and what is exchanged meanwhile."""

from __future__ import annotations

import random
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from ecr_widgets.audit.gate import FileGate
from ecr_widgets.audit.keys import KeyRing
from ecr_widgets.audit.of_image import evidence_of
from ecr_widgets.errors import GateRefused, RegistryUnavailable
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.evidence import ImageEvidence
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.ports import Registry
from tests.audit.attested import NOW, REPOSITORY, Attested, resigned
from tests.fakes import World
from tests.fakes.connections import FakeConnections, make_kit
from tests.faults.plan import batch

_DOCKERRUN = '{"containerDefinitions": [{"name": "web", "image": "x", "memory": 10}]}'


class _Gate(FileGate):
    """The real one, with the keys of one try."""

    ring: KeyRing

    def evidence_of(
        self, image: ImageReference, registry: Registry, token: AuthorizationToken
    ) -> ImageEvidence:
        return evidence_of(image, registry, token, self.ring.known())


class _Try:
    """An image behind a gate: it must have run in `demo`, proven by one key, within 30 days."""

    def __init__(self, folder: Path) -> None:
        self.world = World(now=NOW + timedelta(days=1))
        self.to = FakeConnections(self.world)
        self.to.ecr.create_repository(REPOSITORY, tags_immutable=False, scan_on_push=False)
        self.to.ecr.create_repository("live", tags_immutable=False, scan_on_push=False)
        self.here = Attested(self.to.registry, self.to.ecr.authorization_token(), folder)
        self.image, self.other = self.here.image("1"), self.here.image("2")
        self.eve = KeyRing(folder / "eve")
        key, _ = self.here.ring.signing_key(now=NOW)
        self.policy = folder / "policy.yaml"
        rules = f"{{keys: ['{key.key}'], did: {{environment: demo}}, max_age_days: 30}}"
        self.policy.write_text(
            f"version: 1\nenvironments: {{prod: {rules}}}\nrepositories: {{live: {rules}}}\n"
        )
        self.gate = _Gate(self.policy, is_sealed_run=True)
        self.gate.ring = self.here.ring
        self.gate._sha256 = self.gate.policy().sha256
        self.to.gate = self.gate
        (folder / "Dockerrun.aws.json").write_text(_DOCKERRUN)
        self.kit = make_kit(self.to, folder)

    def is_refused(self) -> bool:
        """Whether a question about the image is answered by no."""
        try:
            self.kit.check_evidence("prod", image=self.image)
        except GateRefused:
            return True
        return False

    def looks_proven(self) -> bool:
        """What somebody concludes who takes the newest statement that is listed for good, or any that was ever proven."""
        listed = self.here.registry.list_referrers(self.image, self.here.token).entries
        return bool(listed)


def _of_another_image(one: _Try, chance: random.Random) -> bool:
    one.here.put(one.image, one.here.seal(one.other).line)
    return one.is_refused()


def _by_another_key(one: _Try, chance: random.Random) -> bool:
    one.here.put(one.image, resigned(one.here.seal(one.image), one.eve))
    if chance.random() < 0.5:
        # Trusted for other things, and not to vouch here.
        key, _ = one.eve.signing_key(now=NOW)
        (one.here.ring.folder / "trusted").mkdir(exist_ok=True)
        (one.here.ring.folder / "trusted" / f"{key.key}.json").write_bytes(
            (one.eve.folder / f"{key.key}.json").read_bytes()
        )
    return one.is_refused()


def _too_old(one: _Try, chance: random.Random) -> bool:
    one.here.attach(one.here.seal(one.image))
    one.world.now = NOW + timedelta(days=chance.randrange(31, 400))
    return one.is_refused()


def _failed_since(one: _Try, chance: random.Random) -> bool:
    good = one.here.seal(one.image)
    one.here.attach(good)
    one.here.attach(one.here.seal(one.image, "run-2", hours=chance.randrange(1, 20), kind="failed"))
    # The old one once more, in a manifest of its own.
    one.here.put(one.image, good.line)
    return one.is_refused()


def _unread(one: _Try, chance: random.Random) -> bool:
    one.here.attach(one.here.seal(one.image))
    one.here.attach(one.here.seal(one.image, "run-2", hours=1, kind="failed"))
    read, fails_at = one.to.registry.read_blob, chance.randrange(2)
    reads = 0

    def failing(*words: Any, **more: Any) -> bytes:
        nonlocal reads
        reads += 1
        if reads == fails_at + 1:
            raise RegistryUnavailable("the connection was reset", retryable=True)
        return read(*words, **more)

    one.to.registry.read_blob = failing  # type: ignore[method-assign]
    return one.is_refused()


def _other_policy(one: _Try, chance: random.Random) -> bool:
    one.here.attach(one.here.seal(one.image))
    assert not one.is_refused()
    text = chance.choice(("version: 1\n", one.policy.read_text().replace("did", "# did"), "{"))
    if chance.random() < 0.5:
        one.policy.write_text(text)
    else:
        other = one.policy.with_name("other.yaml")
        other.write_text(text)
        one.policy.unlink()
        one.policy.symlink_to(other)
    return one.is_refused()


def _moved_tag(one: _Try, chance: random.Random) -> bool:
    one.here.attach(one.here.seal(one.image))
    ask = one.gate.evidence_of

    def moving(*words: Any) -> ImageEvidence:
        one.world.tags[REPOSITORY, "1"] = str(one.other.digest)
        return ask(*words)

    one.gate.evidence_of = moving  # type: ignore[method-assign]
    copied = one.kit.ecr.copy_image(REPOSITORY, "1", to_repository="live", to_tag="1")
    return copied.digest == one.image.digest == one.world.tags["live", "1"]


_ATTACKS = (
    _of_another_image,
    _by_another_key,
    _too_old,
    _failed_since,
    _unread,
    _other_policy,
    _moved_tag,
)


@batch(
    120,
    "ways around a gate: forged, old, foreign, taken back or unread evidence, another policy, a moved tag",
    tries=350,
    quick=35,
)
def around_a_gate(tries: int, seed: int) -> tuple[int, int, str]:
    """None leads past it, and what is proven passes; the control takes whatever is listed on the image for its proof."""
    chance, missed, blind = random.Random(seed), 0, 0
    for number in range(tries):
        with tempfile.TemporaryDirectory(prefix="ft-") as made:
            one = _Try(Path(made))
            missed += not _ATTACKS[number % len(_ATTACKS)](one, chance)
            blind += one.looks_proven()
        with tempfile.TemporaryDirectory(prefix="ft-") as made:
            good = _Try(Path(made))
            good.here.attach(good.here.seal(good.image))
            missed += good.is_refused()
    return missed, blind, f"control: who takes what is listed for proof goes on, {blind} of {tries}"
