"""Addresses of buckets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.bucket_path import BucketPath, place_of


def test_an_address_is_a_path_that_keeps_its_slashes() -> None:
    """An s3:// address has a path's name, parent and joining, and its text reads back as the same address."""
    place = place_of("s3://team-runs/prod/")
    assert isinstance(place, BucketPath)
    run = place / "a.ipynb"
    assert (str(run), run.name, run.parent, run.absolute()) == (
        "s3://team-runs/prod/a.ipynb",
        "a.ipynb",
        place,
        run,
    )
    assert (place.bucket, place.key, run.key) == ("team-runs", "prod", "prod/a.ipynb")
    assert place_of(str(run)) == run
    assert BucketPath.parse("s3://team-runs").key == ""


def test_everything_else_is_a_folder() -> None:
    """Anything that is no address is a local path."""
    assert place_of("runs") == Path("runs")
    assert place_of("s3:/team-runs") == Path("s3:/team-runs")


@pytest.mark.parametrize(
    "text",
    [
        "s3://",
        "s3:///a",
        "s3://Team",
        "s3://a",
        "s3://team runs/x",
        "s3://team/../x",
        "S3://team/x",
        "gs://team/x",
        "https://team/x",
    ],
)
def test_what_is_no_bucket_is_refused(text: str) -> None:
    """An invalid bucket address is refused."""
    with pytest.raises(SettingsError, match="not the address of a bucket"):
        place_of(text)
