"""The kit as a notebook gets it: its steps, and the panels that use them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ecr_widgets.kit import Kit
from ecr_widgets.model.ecs_names import is_ecs
from ecr_widgets.model.layer0 import check_entity_name
from ecr_widgets.model.names import check_name, dialect_of

if TYPE_CHECKING:
    from ecr_widgets.panels.action_runs import ActionRuns
    from ecr_widgets.panels.deploys import DeploysPanel
    from ecr_widgets.panels.images import ImagesPanel
    from ecr_widgets.panels.repositories import RepositoriesPanel


class NotebookKit(Kit):
    """A kit whose panels show themselves as a cell's last expression.

    Args:
        actions: Returns where panel actions are saved; called when something is done for the first time.

        kit: What every kit takes.
    """

    def __init__(self, *kit: Any, actions: Callable[[], ActionRuns], **named: Any) -> None:
        super().__init__(*kit, **named)
        self._made_actions = actions

    @cached_property
    def actions(self) -> ActionRuns:
        """The saved runs of its panels' actions."""
        return self._made_actions()

    def repositories(self, words: str = "") -> RepositoriesPanel:
        """A panel of the account's repositories whose names have all `words`."""
        from ecr_widgets.panels.repositories import RepositoriesPanel

        return RepositoriesPanel(self, words)

    def images(self, repository: str) -> ImagesPanel:
        """A panel of a repository's images; the panel reports a name that ECR refuses."""
        from ecr_widgets.panels.images import ImagesPanel

        return ImagesPanel(self, repository)

    def deploys(self, environment: str, service: str) -> DeploysPanel:
        """A panel of a service and what is deployed to it."""
        from ecr_widgets.panels.deploys import DeploysPanel

        return DeploysPanel(
            self,
            environment if is_ecs(environment) else check_entity_name(environment, kind="environment"),
            check_name(dialect_of(environment), service, "service"),
        )
