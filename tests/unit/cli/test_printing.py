"""What `--json` prints of an outcome."""

from __future__ import annotations

from datetime import UTC, datetime

from ecr_widgets.cli.printing import plain
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.copy_image import CopyOutcome
from ecr_widgets.steps.login import LoginOutcome
from ecr_widgets.steps.push_image import PushOutcome
from tests.fakes import REGISTRY, digest_of

IMAGE = ImageReference.parse(f"{REGISTRY}/app:1@{digest_of('a')}")


def test_an_image_is_one_text_whatever_command_prints_it() -> None:
    """An image is a single string in the outcomes of both push and copy."""
    pushed = PushOutcome(IMAGE, digest_of("a"), "1", changed=True)
    copied = CopyOutcome(IMAGE, digest_of("a"), "1", changed=True, source=IMAGE)
    assert plain(pushed)["image"] == plain(copied)["image"] == plain(copied)["source"] == str(IMAGE)


def test_times_end_in_z_and_lists_stay_lists() -> None:
    """Times are strings in UTC that end in Z, and a list is printed as a list."""
    login = LoginOutcome("r", "AWS", None, None, datetime(2026, 11, 26, tzinfo=UTC))
    assert plain([login])[0]["expires_at"] == "2026-11-26T00:00:00.000Z"
