"""The controls of the repository panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecr_widgets.model.encryption import ENCRYPTIONS, Encryption
from ecr_widgets.model.image_reference import check_repository_name
from ecr_widgets.model.tag_rule import read_exceptions
from ecr_widgets.panels import controls as made
from ecr_widgets.panels.base import Plan

if TYPE_CHECKING:
    from ecr_widgets.kit import Kit
    from ecr_widgets.panels.repositories import RepositoriesPanel

_TAGS = {"leave as they are": None, "can move": False, "immutable": True}
_SCAN = {"leave as it is": None, "yes": True, "no": False}


class RepositoryControls:
    """Widgets of one repository panel."""

    def __init__(self, panel: RepositoriesPanel) -> None:
        self._panel = panel
        self._chosen = made.suggestion("Repository", "which one")
        self._uri = made.to_copy("URI to copy", "choose a repository, then copy this")
        words = made.filtering(made.text("Filter", "part of a name", panel.words), panel.filter)
        work = made.group(
            "Work on a repository",
            self._chosen,
            self._uri,
            self._settings(),
            self._lifecycle(),
            self._deletion(),
        )
        self._chosen.observe(self._show_uri, "value")
        self.widget = made.rows(words, *self._creation(), work)

    def offer(self, names: tuple[str, ...]) -> None:
        """Offer repositories to choose from."""
        if names != self._chosen.options:
            self._chosen.options = names
        if self._name.value.strip() == self._panel.leading in names:
            self._name.value = ""  # it was made just now: the next one has another name
        self._show_uri()

    def _show_uri(self, _: object = None) -> None:
        self._uri.value = self._panel.uri(self._chosen.value.strip())

    def _creation(self) -> tuple[Any, ...]:
        self._name = name = made.text("New repository", "team/project", wide=True)
        immutable, scan = made.tick("tags can never move"), made.tick("scan on push", value=True)
        encryption = made.choice("Encryption (permanent)", ENCRYPTIONS)
        key = made.text("KMS key", "ARN, id or alias; empty: AWS's own for ECR", wide=True)
        panel = self._panel

        def key_used() -> str:
            return key.value.strip() if encryption.value == "KMS" else ""

        def offer_key(_: object = None) -> None:
            key.layout.display = "" if encryption.value == "KMS" else "none"

        def create() -> None:
            wanted, fixed, scanned = name.value.strip(), immutable.value, scan.value
            encrypted, kms_key = encryption.value, key_used()
            panel.leading = wanted
            panel.act(
                f"create repository {wanted}",
                lambda kit: kit.create_repository(
                    wanted,
                    tags_immutable=fixed,
                    scan_on_push=scanned,
                    encryption=encrypted,
                    kms_key=kms_key,
                ),
            )

        def why_not() -> str:
            known = panel.knows(check_repository_name(name.value.strip()))
            Encryption.parse(encryption.value, key_used())
            return "a repository of that name exists" if known else ""

        button = made.button("Create", "Create the repository", create)
        hint = made.needs(button, [name], why_not, also=[encryption, key, self._chosen])
        encryption.observe(offer_key, "value")
        offer_key()
        return made.row(name, immutable, scan, encryption, key, button), hint

    def _settings(self) -> Any:
        tags, scan = made.choice("Tags", tuple(_TAGS)), made.choice("Scan on push", tuple(_SCAN))
        but = made.text("All but", "such as dev-*, with a setting for tags")
        panel = self._panel

        def change() -> None:
            name, fixed, scanned = self._chosen.value.strip(), _TAGS[tags.value], _SCAN[scan.value]
            exceptions = None if fixed is None else read_exceptions(but.value)
            panel.leading = name

            def look(kit: Kit) -> Plan:
                return Plan(
                    f"change settings of {name}",
                    kit.look.dropped_exceptions(name, exceptions),
                    lambda acting: acting.ecr.change_repository(
                        name, tags_immutable=fixed, scan_on_push=scanned, tag_exceptions=exceptions
                    ),
                )

            panel.work_out(f"look at {name}", look)

        def why_not() -> str:
            read_exceptions(but.value)
            return self._why_not()

        button = made.button("Change settings", "Apply the chosen settings", change)
        return made.rows(
            made.row(tags, but, scan, button), made.needs(button, [self._chosen], why_not, also=[but])
        )

    def _lifecycle(self) -> Any:
        untagged = made.number("Expire untagged after days (0: never)", 14)
        newest = made.number("Keep newest (0: all)", 100)
        panel = self._panel

        def preview() -> None:
            name, days, keep = self._chosen.value.strip(), untagged.value, newest.value
            panel.leading = name

            def look(kit: Kit) -> Plan:
                return Plan(
                    f"set the lifecycle policy of {name}",
                    kit.look.lifecycle_plan(name, untagged_days=days, keep_newest=keep),
                    lambda acting: acting.ecr.set_lifecycle_policy(
                        name, untagged_days=days, keep_newest=keep
                    ),
                )

            panel.work_out(f"preview what would expire in {name}", look)

        button = made.button("Preview policy …", "Show what would expire before anything is set", preview)
        hint = made.needs(button, [self._chosen], self._why_not)
        return made.rows(made.row(untagged, newest, button), hint)

    def _deletion(self) -> Any:
        typed = made.text("To delete it, type its name", wide=True)
        images, panel = made.tick("and its images"), self._panel

        def delete() -> None:
            name, again, too = self._chosen.value.strip(), typed.value, images.value
            panel.act(
                f"delete repository {name}",
                lambda kit: kit.ecr.delete_repository(name, typed_name=again, with_images=too),
            )

        def why_not() -> str:
            return "" if typed.value == self._chosen.value.strip() else "the two names differ"

        button = made.button("Delete", "Delete the repository for good", delete)
        button.button_style = "danger"
        hint = made.needs(button, [self._chosen, typed], why_not)
        return made.rows(made.row(typed, images, button), hint)

    def _why_not(self) -> str:
        known = self._panel.knows(self._chosen.value.strip())
        return "" if known else "no repository of that name was listed; refresh"
