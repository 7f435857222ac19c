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
    """List a REPOSITORY's images, newest push first; those whose tag or digest contains FILTER."""
    from ecr_widgets.connections import connect

    pages = connect().look.images(repository)
    found = [
        each for page in pages for each in page if any(filter in text for text in (*each.tags, each.digest))
    ]
    found.sort(key=lambda each: (each.pushed_at, each.digest), reverse=True)
    if as_json:
        print_json(plain(found))
        return
    table(
        ("TAGS", "PUSHED", "BYTES", "DIGEST"),
        [
            (
                ",".join(each.tags) or "-",
                f"{each.pushed_at:%Y-%m-%dT%H:%M:%SZ}",
                "-" if each.size_bytes is None else each.size_bytes,
                each.digest,
            )
            for each in found
        ],
    )
