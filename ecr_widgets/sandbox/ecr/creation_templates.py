"""Templates by which ECR creates repositories: the account has none. moto does not know the call."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.ecr.responses import ECRResponse

from ecr_widgets.sandbox.ecr.images import Images


def add_templates(store: Images) -> None:
    """Add the call that lists them."""

    def describe_repository_creation_templates(_: ECRResponse) -> ActionResult:
        return ActionResult({"registryId": store.account, "repositoryCreationTemplates": []})

    ECRResponse.describe_repository_creation_templates = describe_repository_creation_templates  # type: ignore[attr-defined]
