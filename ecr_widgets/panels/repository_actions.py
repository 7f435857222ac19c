"""What can be done in the repository panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ecr_widgets.model.encryption import ENCRYPTIONS, Encryption
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.model.tag_rule import read_exceptions
from ecr_widgets.panels import scripts
from ecr_widgets.panels.offers import Action, Field, Values
from ecr_widgets.panels.plans import Plan

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.model.registry import Repository
    from ecr_widgets.panels.repositories import RepositoriesPanel

_TAGS = {"leave as they are": None, "can move": False, "immutable": True}
_SCAN = {"leave as it is": None, "yes": True, "no": False}


def of_panel(panel: RepositoriesPanel) -> Sequence[Action]:
    """Create a repository."""

    def why_not(values: Values) -> str:
        known = panel.knows(check_repository_name(values["name"]))
        Encryption.parse(values["encryption"], values["key"])
        return "a repository of that name already exists" if known else ""

    return (
        Action(
            "create",
            "New repository",
            "Create a repository",
            lambda values: _create(panel, values),
            (
                Field("name", "Name", hint="team/project", required=True),
                Field("immutable", "Immutable tags", value=False),
                Field("scan", "Scan on push", value=True),
                Field(
                    "encryption",
                    "Encryption",
                    "AES256",
                    hint="permanent: it cannot be changed later",
                    options=tuple(ENCRYPTIONS),
                    kind="choice",
                ),
                Field(
                    "key",
                    "KMS key",
                    hint="ARN, id or alias; empty: AWS's own for ECR",
                    when=("encryption", "KMS"),
                ),
            ),
            go="Create",
            why_not=why_not,
            asks_why=True,
        ),
    )


def of_repository(panel: RepositoriesPanel, repository: Repository) -> Sequence[Action]:
    """Change settings, preview and set a lifecycle policy, delete."""
    name = repository.name

    def readable(values: Values) -> str:
        read_exceptions(values["but"])
        return ""

    return (
        Action(
            "settings",
            "Settings",
            "Change how tags move and whether images are scanned",
            lambda values: _change(panel, name, values),
            (
                Field("tags", "Tags", "leave as they are", options=tuple(_TAGS), kind="choice"),
                Field("but", "All but", hint="such as dev-*, with a setting for tags"),
                Field("scan", "Scan on push", "leave as it is", options=tuple(_SCAN), kind="choice"),
            ),
            go="Change settings",
            why_not=readable,
            asks_why=True,
        ),
        Action(
            "lifecycle",
            "Lifecycle policy",
            "Show what would expire before anything is set",
            lambda values: _preview(panel, name, values),
            (
                Field("untagged", "Expire untagged after days", 14, hint="0: never"),
                Field("keep", "Keep newest", 100, hint="0: all"),
            ),
            go="Preview policy …",
            asks_why=True,
        ),
        Action(
            "delete",
            "Delete",
            "Delete the repository permanently",
            lambda values: _delete(panel, name, values),
            (
                Field("again", "To delete it, type its name", required=True),
                Field("images", "and its images", value=False),
            ),
            why_not=lambda values: "" if values["again"] == name else "the two names differ",
            danger=True,
            asks_why=True,
        ),
    )


def _create(panel: RepositoriesPanel, values: Values) -> None:
    panel.leading = name = values["name"]
    panel.act(
        f"create repository {name}",
        scripts.CREATE_REPOSITORY.using(
            repository=name,
            tags_immutable=values["immutable"],
            scan_on_push=values["scan"],
            encryption=values["encryption"],
            kms_key=values["key"],
        ),
    )


def _change(panel: RepositoriesPanel, name: str, values: Values) -> None:
    fixed, scanned = _TAGS[values["tags"]], _SCAN[values["scan"]]
    exceptions = None if fixed is None else read_exceptions(values["but"])
    script = scripts.CHANGE_REPOSITORY.using(
        repository=name,
        tags_immutable=fixed,
        scan_on_push=scanned,
        tag_exceptions=None if exceptions is None else list(exceptions),
    )
    panel.leading = name

    def look(kit: Kit) -> Plan:
        return Plan(f"change settings of {name}", kit.look.dropped_exceptions(name, exceptions), script)

    panel.work_out(f"look at {name}", look)


def _preview(panel: RepositoriesPanel, name: str, values: Values) -> None:
    days, keep = values["untagged"], values["keep"]
    panel.leading = name

    def look(kit: Kit) -> Plan:
        return Plan(
            f"set the lifecycle policy of {name}",
            kit.look.lifecycle_plan(name, untagged_days=days, keep_newest=keep),
            scripts.LIFECYCLE.using(repository=name, untagged_days=days, keep_newest=keep),
        )

    panel.work_out(f"preview what would expire in {name}", look)


def _delete(panel: RepositoriesPanel, name: str, values: Values) -> None:
    panel.act(
        f"delete repository {name}",
        scripts.DELETE_REPOSITORY.using(
            repository=name, typed_name=values["again"], with_images=values["images"]
        ),
    )
