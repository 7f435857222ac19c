"""`ecr-widgets images`."""

from __future__ import annotations

import click

from ecr_widgets.cli.outcome import print_json
from ecr_widgets.cli.printing import json_option, plain, table


@click.command(name="images")
@click.argument("repository")
@click.argument("filter", required=False, default="")
@json_option
def command(repository: str, filter: str, *, as_json: bool) -> None:  # noqa: A002 -- the word that help shows
    """List REPOSITORY's images, newest push first; with FILTER, those whose tag or digest contains it.

    KIND separates images from what belongs to one: the images of an index, attestations, signatures. For this the indexes
    are read, which ECR counts as a pull of each.
    """
    from ecr_widgets.connections import connect

    look = connect().look
    every = [each for page in look.images(repository) for each in page]
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
    table(
        ("TAGS", "KIND", "PUSHED", "BYTES", "DIGEST"),
        [
            (
                ",".join(each.tags) or "-",
                kinds[each.digest],
                f"{each.pushed_at:%Y-%m-%dT%H:%M:%SZ}",
                "-" if each.size_bytes is None else each.size_bytes,
                each.digest,
            )
            for each in matching
        ],
    )
