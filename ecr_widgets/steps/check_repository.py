"""Check a repository's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Self

from ecr_widgets.errors import VerifyError
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.tag_rule import TagRule, read_exceptions
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.repository_settings import (
    CANNOT_CHANGE,
    RepositoryOutcome,
    other_encryption,
    outcome_of,
    require_repository,
)
from ecr_widgets.steps.step import Look, if_given


@dataclass(frozen=True)
class CheckRepository(Look[RepositoryOutcome]):
    """Check that the repository exists with these settings.

    Args:
        encryption: `AES256` or `KMS`; empty if any will do.

        kms_key: With `KMS`: ARN or id of the key; empty for any. Which key an alias names is not looked up.

        tag_exceptions: Patterns of the tags for which the opposite of `tags_immutable` holds; empty if there must be none.

    Raises:
        RepositoryNotFound: No such repository.

        VerifyError: It has other settings; the message names them.
    """

    repository: str
    _: KW_ONLY
    tags_immutable: bool
    scan_on_push: bool
    encryption: str = if_given("")
    kms_key: str = if_given("")
    tag_exceptions: str | Sequence[str] = if_given("")

    def resolved(self, outside: Outside) -> Self:
        return replace(
            self,
            repository=outside.session.repository(self.repository),
            tag_exceptions=read_exceptions(self.tag_exceptions),
        )

    def expected(self, outside: Outside) -> RepositoryOutcome | None:
        encryption = Encryption.parse(self.encryption, self.kms_key)
        made = outside.planned.get(outside.repository_key(self.repository))
        if made is None:
            return None
        return RepositoryOutcome(
            self.repository,
            made.uri,
            self.tags_immutable,
            self.scan_on_push,
            changed=False,
            encryption=encryption.type if encryption else None,
            kms_key=encryption.kms_key if encryption else None,
            tag_exceptions=tuple(self.tag_exceptions),
        )

    def look(self, outside: Outside, progress: ProgressSink) -> RepositoryOutcome:
        encryption = Encryption.parse(self.encryption, self.kms_key)
        exceptions = tuple(self.tag_exceptions)
        existing = require_repository(outside.ecr, self.repository)
        wanted = TagRule(self.tags_immutable, exceptions)
        differ = []
        if existing.tags_immutable is not self.tags_immutable:
            differ.append(
                f"tags_immutable is {_word(existing.tags_immutable)} and not {_word(self.tags_immutable)}"
            )
        if {*existing.tag_exceptions} != {*exceptions}:
            differ.append(f"the rule for tags is '{existing.tag_rule}' and not '{wanted}'")
        if existing.scan_on_push is not self.scan_on_push:
            differ.append(
                f"scan_on_push is {_word(existing.scan_on_push)} and not {_word(self.scan_on_push)}"
            )
        for_good = other_encryption(existing, encryption)
        if differ or for_good:
            raise VerifyError(
                f"repository {self.repository!r} has other settings: {', '.join((*differ, *for_good))}",
                hint=CANNOT_CHANGE
                if for_good
                else "change them with kit.ecr.change_repository or the repositories panel, or give those that it has",
            )
        return outcome_of(existing, encryption, changed=False)


def _word(setting: bool) -> str:  # noqa: FBT001 -- a value, not a switch
    return str(setting).lower()
