"""`ecr-widgets repositories`."""

from __future__ import annotations

import click

import ecr_widgets
from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option, plain
from ecr_widgets.cli.tables import Column, print_table, since, wide_option
from ecr_widgets.model.registry import Repository
from ecr_widgets.model.tag_rule import TagRule

_MOVABLE = TagRule(immutable=False)


@click.command(name="repositories")
@click.argument("filter", required=False, default="")
@wide_option
@json_option
def command(filter: str, *, wide: bool, as_json: bool) -> None:  # noqa: A002 -- the word that help shows
    """List the account's ECR repositories; with FILTER, those whose name contains it."""
    repositories = [each for each in ecr_widgets.connect().look.repositories() if filter in each.name]
    if as_json:
        print_json(plain(repositories))
        return
    name = Column[Repository]("REPOSITORY", lambda each: each.name, least=12)
    tags = Column[Repository](
        "TAGS", lambda each: "mutable" if each.tag_rule == _MOVABLE else each.tag_rule, least=9
    )
    print_table(
        sorted(repositories, key=lambda each: each.name),
        (
            name,
            tags,
            Column("SCAN ON PUSH", lambda each: "yes" if each.scan_on_push else "no"),
            Column("ENCRYPTION", lambda each: each.encryption),
            Column("CREATED", lambda each: f"{each.created_at:%Y-%m-%d}"),
            Column("URI", lambda each: each.uri),
        ),
        (
            name,
            tags,
            Column(
                "SCAN",
                lambda each: "✓" if each.scan_on_push else "–",
                colour=lambda each: "green" if each.scan_on_push else None,
            ),
            Column("ENCRYPTION", lambda each: each.encryption, least=8, optional=True),
            Column("CREATED", lambda each: since(each.created_at), is_number=True),
        ),
        wide=wide,
    )
