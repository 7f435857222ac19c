"""One world with an engine of one kind, for tests that build, push and pull."""

from __future__ import annotations

from pathlib import Path

from ecr_widgets.model.engine_facts import ImageStore
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.tag_rule import TagRule
from ecr_widgets.steps.build_image import BuildImage
from ecr_widgets.steps.pull_image import PullImage, PullOutcome
from ecr_widgets.steps.push_image import PushImage, PushOutcome
from tests.fakes import REGISTRY, FakeEngine, World
from tests.fakes.connections import FakeConnections, make_outside, perform

APP = ImageReference.parse(f"{REGISTRY}/app:1")


class Here:
    """Two repositories, and an image called `built` that is in neither.

    Args:
        folder: What images are built from.
    """

    def __init__(
        self, folder: Path, store: ImageStore = ImageStore.GRAPH_DRIVER, version: str = "28.2"
    ) -> None:
        self.world = World()
        to = FakeConnections(self.world)
        to.engine = FakeEngine(self.world, store, version)
        self.ecr, self.engine = to.ecr, to.engine
        self.outside = make_outside(to, folder)
        self.session = self.outside.session
        self.folder = folder
        for name in ("app", "other"):
            self.ecr.create_repository(name, tags_immutable=False, scan_on_push=True)
        self.built = self.build("FROM busybox")

    def build(self, text: str) -> str:
        """Build the image and return its id."""
        (self.folder / "Dockerfile").write_text(text)
        return perform(BuildImage(self.folder, name="built"), self.outside).image_id

    def push(self, source: str = "built", repository: str = "app", tag: str = "1") -> PushOutcome:
        return perform(PushImage(source, repository=repository, tag=tag), self.outside)

    def pull(self, repository: str = "app", reference: str = "1") -> PullOutcome:
        return perform(PullImage(repository, reference), self.outside)

    def pushes(self) -> int:
        return sum(change.startswith("push") for change in self.world.changes)

    def fix_tags(self, repository: str = "app", *, immutable: bool = True) -> None:
        """Make the repository refuse to move tags, or allow it again."""
        self.ecr.change_repository(repository, tag_rule=TagRule(immutable=immutable))
