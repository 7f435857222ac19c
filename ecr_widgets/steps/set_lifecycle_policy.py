"""Set a repository's lifecycle policy."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.lifecycle_policy import equal_policies, parse_policy, simple_lifecycle_policy
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.repository_settings import require_repository
from ecr_widgets.steps.step import Foreseen


@dataclass(frozen=True, slots=True)
class LifecycleOutcome:
    """The repository's lifecycle policy, as JSON text; None if it has none."""

    repository: str
    policy: str | None
    previous: str | None
    changed: bool


@dataclass(frozen=True)
class SetLifecyclePolicy(Foreseen[LifecycleOutcome]):
    """Set the repository's lifecycle policy: the one given, or else one with these two rules; an equal one is left alone.

    Args:
        policy: JSON text, as ECR's documentation describes it.

        untagged_days: Images without a tag expire after so many days; 0 leaves the rule out.

        keep_newest: Only so many images stay, the last ones pushed; 0 leaves the rule out.

    Raises:
        InputError: Not a JSON object with rules, or a number is below 0.

        RepositoryNotFound: No such repository.

        RegistryError: ECR refused it.
    """

    asks: ClassVar = ("ECR: PutLifecyclePolicy",)

    repository: str
    policy: str | None = None
    _: KW_ONLY
    untagged_days: int = 0
    keep_newest: int = 0

    def look(self, outside: Outside, progress: ProgressSink) -> LifecycleOutcome:
        wanted = self.policy or simple_lifecycle_policy(
            untagged_days=self.untagged_days, keep_newest=self.keep_newest
        )
        if wanted is not None:
            parse_policy(wanted)
        # A repository that this plan would create has no policy yet.
        if outside.repository_key(self.repository) in outside.planned:
            current = None
        else:
            require_repository(outside.ecr, self.repository)
            current = outside.ecr.find_lifecycle_policy(self.repository)
        same = wanted is None or (current is not None and equal_policies(current, wanted))
        return LifecycleOutcome(
            self.repository, current if wanted is None else wanted, current, changed=not same
        )

    def act(self, outside: Outside, found: LifecycleOutcome, progress: ProgressSink) -> LifecycleOutcome:
        if found.changed and found.policy is not None:
            outside.ecr.set_lifecycle_policy(self.repository, found.policy)
        return found
