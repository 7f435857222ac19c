"""Which saved run deployed what a service runs now."""

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
    """The newest run that names the running image deployed it; a newer run of another image did not."""
    runs = deploys_by_service([BACK, NEW, OTHER, OLD])["demo/web"]
    assert deploy_of(runs, ["sha256:a"]) is OLD
    assert deploy_of(runs, ["sha256:c"]) is None


def test_without_a_digest_it_is_the_newest() -> None:
    """If no digest is known, the newest run of the service deployed what runs."""
    assert deploy_of(deploys_by_service([NEW, OLD])["demo/web"], []) is NEW


def test_an_image_by_digest_gets_the_tag_of_its_run() -> None:
    """A service's only image, if given by digest, gets the tag from its run; with a tag or with several images it gets none."""
    assert image_of(["host.test/web@sha256:b"], NEW) == "web:2"
    assert image_of(["host.test/web:9"], NEW) == ""
    assert image_of(["host.test/web@sha256:b", "host.test/proxy@sha256:c"], NEW) == ""
    assert image_of(["host.test/web@sha256:b"], None) == ""
