"""Pin an image that is already in the registry."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ecr_widgets.errors import ImageNotFound, RepositoryNotFound
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.push_image import PushOutcome
from ecr_widgets.steps.shared.nearest import nearest_repository, nearest_tag
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.step import Look


@dataclass(frozen=True)
class FindImage(Look[PushOutcome]):
    """Pin an image that is already in the account's registry, by tag or digest, as if it had just been pushed.

    Raises:
        ImageNotFound: The repository has no such image.

        RepositoryNotFound: The repository does not exist.
    """

    repository: str
    reference: str

    def expected(self, outside: Outside) -> PushOutcome | None:
        pushed = outside.planned.get(str(outside.reference(self.repository, self.reference)))
        return None if pushed is None else replace(pushed, changed=False)

    def look(self, outside: Outside, progress: ProgressSink) -> PushOutcome:
        image = outside.reference(self.repository, self.reference)
        try:
            digest = outside.session.use(lambda token: outside.registry.find_digest(image, token))
        except RepositoryNotFound as error:
            hint = nearest_repository(outside.ecr, self.repository, error.hint or "check its name")
            raise RepositoryNotFound(error.message, hint=hint) from error
        if digest is None:
            raise ImageNotFound(
                f"{image} is not in the registry",
                hint=nearest_tag(
                    outside.ecr, self.repository, self.reference, "push it first, or check tag and digest"
                ),
            )
        return PushOutcome(image.with_digest(digest), digest, image.tag or "", changed=False)
