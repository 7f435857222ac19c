"""Which saved run brought a service to what it runs."""

from __future__ import annotations

from ecr_widgets.audit.deployers import deploy_of, deploys_by_service, image_of
from ecr_widgets.audit.row import Row

OLD = Row("old", "proven", "", actor="kim", deployed=("demo/web",), digests=("sha256:a",), image="web:1")
NEW = Row("new", "proven", "", actor="root", deployed=("demo/web",), digests=("sha256:b",), image="web:2")
BACK = Row(
    "back", "failed", "", deployed=("demo/web",), rolled_back=("demo/web",), digests=("sha256:a", "sha256:c")
)
OTHER = Row("other", "proven", "", deployed=("demo/api",), digests=("sha256:a",))


def test_it_is_the_newest_run_that_names_what_runs() -> None:
    """Not a newer one of another image, of another service, or one that has put it back."""
    runs = deploys_by_service([BACK, NEW, OTHER, OLD])["demo/web"]
    assert deploy_of(runs, ["sha256:a"]) is OLD
    assert deploy_of(runs, ["sha256:c"]) is None


def test_without_a_digest_it_is_the_newest() -> None:
    """A deploy by tag names none."""
    assert deploy_of(deploys_by_service([NEW, OLD])["demo/web"], []) is NEW


def test_an_image_by_digest_gets_the_tag_of_its_run() -> None:
    """One that has a tag keeps it, and of several none is guessed."""
    assert image_of(["host.test/web@sha256:b"], NEW) == "web:2"
    assert image_of(["host.test/web:9"], NEW) == ""
    assert image_of(["host.test/web@sha256:b", "host.test/proxy@sha256:c"], NEW) == ""
    assert image_of(["host.test/web@sha256:b"], None) == ""
