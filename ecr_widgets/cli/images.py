"""`ecr-widgets images`."""

from __future__ import annotations

import click

import ecr_widgets
from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option, plain
from ecr_widgets.cli.tables import Column, print_table, short_digest, since, wide_option
from ecr_widgets.errors import RepositoryNotFound
from ecr_widgets.model.amounts import size
from ecr_widgets.model.nearest import did_you_mean
from ecr_widgets.model.registry import Image


@click.command(name="images")
@click.argument("repository")
@click.argument("filter", required=False, default="")
@wide_option
@json_option
def command(repository: str, filter: str, *, wide: bool, as_json: bool) -> None:  # noqa: A002 -- the word that help shows
    """List REPOSITORY's images, newest push first; with FILTER, those whose tag or digest contains it.

    KIND separates images from what belongs to one: the images of an index, attestations, signatures. To tell them
    apart, the indexes are read, which ECR counts as a pull of each.
    """
    look = ecr_widgets.connect().look
    try:
        every = [each for page in look.images(repository) for each in page]
    except RepositoryNotFound as error:
        names = [each.name for each in look.repositories()]
        raise RepositoryNotFound(
            f"repository {repository!r} does not exist",
            hint=did_you_mean(repository, names, "list them with `ecr-widgets repositories`"),
        ) from error
    every.sort(key=lambda each: (each.pushed_at, each.digest), reverse=True)
    parts = look.parts(repository, every)
    matching = [each for each in every if any(filter in text for text in (*each.tags, each.digest))]
    kinds = {
        each.digest: parts.kinds.get(each.digest) or ("index" if each.is_index else "image")
        for each in matching
    }
    if as_json:
        print_json(
            [
                plain(each)
                | {"kind": kinds[each.digest], "belongs_to": sorted(parts.owners.get(each.digest, ()))}
                for each in matching
            ]
        )
        return
    tags = Column[Image]("TAGS", lambda each: ",".join(each.tags) or "-", least=12)
    kind = Column[Image]("KIND", lambda each: kinds[each.digest])
    print_table(
        matching,
        (
            tags,
            kind,
            Column("PUSHED", lambda each: f"{each.pushed_at:%Y-%m-%dT%H:%M:%SZ}"),
            Column("BYTES", lambda each: "-" if each.size_bytes is None else each.size_bytes),
            Column("DIGEST", lambda each: each.digest),
        ),
        (
            tags,
            *([kind] if set(kinds.values()) - {"image"} else []),
            Column("SIZE", lambda each: size(each.size_bytes), is_number=True),
            Column("PUSHED", lambda each: since(each.pushed_at), is_number=True),
            Column("DIGEST", lambda each: short_digest(each.digest), colour=lambda _: "cyan", optional=True),
        ),
        wide=wide,
    )
