"""The outside in memory, for tests that need no real part."""

from __future__ import annotations

from tests.fakes.ecr import FakeEcr
from tests.fakes.ecs import FakeEcs
from tests.fakes.engine import FakeEngine
from tests.fakes.layer0 import FakeLayer0
from tests.fakes.registry import FakeRegistry
from tests.fakes.world import KMS_KEY, NOW, REGISTRY, FakeClock, World, digest_of, kms_key_of

__all__ = [
    "KMS_KEY",
    "NOW",
    "REGISTRY",
    "FakeClock",
    "FakeEcr",
    "FakeEcs",
    "FakeEngine",
    "FakeLayer0",
    "FakeRegistry",
    "World",
    "digest_of",
    "kms_key_of",
]
