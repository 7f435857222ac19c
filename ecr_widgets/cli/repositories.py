"""`ecr-widgets repositories`."""

from __future__ import annotations

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option, plain, table
from ecr_widgets.model.tag_rule import TagRule

_MOVABLE = TagRule(immutable=False)


@click.command(name="repositories")
@click.argument("filter", required=False, default="")
@json_option
def command(filter: str, *, as_json: bool) -> None:  # noqa: A002 -- the word that help shows
    """List the account's ECR repositories; with FILTER, those whose name contains it."""
    from ecr_widgets.connections import connect

    repositories = [each for each in connect().look.repositories() if filter in each.name]
    if as_json:
        print_json(plain(repositories))
        return
    table(
        ("REPOSITORY", "TAGS", "SCAN ON PUSH", "ENCRYPTION", "CREATED", "URI"),
        [
            (
                each.name,
                "mutable" if each.tag_rule == _MOVABLE else each.tag_rule,
                "yes" if each.scan_on_push else "no",
                each.encryption,
                f"{each.created_at:%Y-%m-%d}",
                each.uri,
            )
            for each in sorted(repositories, key=lambda each: each.name)
        ],
    )
