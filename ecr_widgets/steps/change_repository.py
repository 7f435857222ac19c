"""Change a repository's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import ClassVar, Self

from ecr_widgets.errors import InputError
from ecr_widgets.model.registry import Repository
from ecr_widgets.model.tag_rule import TagRule, read_exceptions
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.repository_settings import RepositoryOutcome, outcome_of, require_repository
from ecr_widgets.steps.step import Step


@dataclass(frozen=True, slots=True)
class WantedSettings:
    """A repository and the settings that it will have."""

    repository: Repository
    rule: TagRule
    scan_on_push: bool

    @property
    def changes(self) -> bool:
        """Whether any of them is different now."""
        return (self.rule, self.scan_on_push) != (self.repository.tag_rule, self.repository.scan_on_push)


@dataclass(frozen=True)
class ChangeRepository(Step[WantedSettings, RepositoryOutcome]):
    """Set the settings that are given; the others stay.

    Args:
        tag_exceptions: Patterns of the tags for which the opposite of `tags_immutable` holds, such as `dev-* test-*`;
            empty for none. If there are exceptions, they must be given again with `tags_immutable`.

    Raises:
        InputError: It would drop exceptions, and what becomes of them was not given.

        RepositoryNotFound: No such repository.
    """

    asks: ClassVar = ("ECR: PutImageTagMutability", "ECR: PutImageScanningConfiguration")

    repository: str
    _: KW_ONLY
    tags_immutable: bool | None = None
    scan_on_push: bool | None = None
    tag_exceptions: str | Sequence[str] | None = None

    def resolved(self, outside: Outside) -> Self:
        exceptions = None if self.tag_exceptions is None else read_exceptions(self.tag_exceptions)
        return replace(
            self, repository=outside.session.repository(self.repository), tag_exceptions=exceptions
        )

    def inputs(self, outside: Outside) -> dict[str, object]:
        inputs: dict[str, object] = super().inputs(outside)
        # An empty list is recorded as well: it drops all exceptions.
        return {
            name: value for name, value in inputs.items() if name != "tag_exceptions" or value is not None
        }

    def look(self, outside: Outside, progress: ProgressSink) -> WantedSettings:
        repository = require_repository(outside.ecr, self.repository)
        scan = repository.scan_on_push if self.scan_on_push is None else self.scan_on_push
        return WantedSettings(repository, self._rule(repository), scan)

    def _rule(self, repository: Repository) -> TagRule:
        if self.tags_immutable is not None and self.tag_exceptions is None and repository.tag_exceptions:
            dropped = ", ".join(repository.tag_exceptions)
            raise InputError(
                f"repository {repository.name!r} was not changed: its tags are '{repository.tag_rule}',"
                f" and this would drop {dropped}",
                hint=f"say what becomes of the exceptions: tag_exceptions='' drops them, '{dropped}' keeps them",
            )
        return TagRule(
            repository.tags_immutable if self.tags_immutable is None else self.tags_immutable,
            repository.tag_exceptions if self.tag_exceptions is None else tuple(self.tag_exceptions),
        )

    def plan(self, outside: Outside, found: WantedSettings) -> RepositoryOutcome:
        return RepositoryOutcome(
            found.repository.name,
            found.repository.uri,
            found.rule.immutable,
            found.scan_on_push,
            found.changes,
            tag_exceptions=found.rule.exceptions,
        )

    def act(self, outside: Outside, found: WantedSettings, progress: ProgressSink) -> RepositoryOutcome:
        if not found.changes:
            return outcome_of(found.repository, None, changed=False)
        outside.ecr.change_repository(
            self.repository,
            tag_rule=None if found.rule == found.repository.tag_rule else found.rule,
            scan_on_push=None if found.scan_on_push == found.repository.scan_on_push else found.scan_on_push,
        )
        return outcome_of(require_repository(outside.ecr, self.repository), None, changed=True)
