"""`ecr-widgets build`."""

from __future__ import annotations

from typing import Any

import click

import ecr_widgets
from ecr_widgets.cli.printing import json_option, tell


def _pairs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Parse `NAME=VALUE` arguments."""
    pairs = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not name or not separator:
            raise click.BadParameter(f"{name or each!r} is not NAME=VALUE.")
        pairs[name] = value
    return pairs


@click.command(name="build")
@click.argument("context")
@click.argument("name")
@click.option(
    "--dockerfile", "-f", default="Dockerfile", help="Path relative to CONTEXT  [default: Dockerfile]"
)
@click.option("--build-arg", "build_args", multiple=True, callback=_pairs, metavar="NAME=VALUE")
@click.option("--target", default="", help="Stage to stop at  [default: the last one]")
@click.option(
    "--platform", default="", help="Such as linux/arm64; several, separated by commas, make an index"
)
@click.option("--pull", is_flag=True, help="Pull base images even if the engine has them")
@click.option("--label", "labels", multiple=True, callback=_pairs, metavar="NAME=VALUE")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="ID=VARIABLE",
    help="Id of a secret that the Dockerfile mounts, and the environment variable that holds it",
)
@click.option(
    "--cache-from", default="", help="Images to take layers from; without a host, from the account's registry"
)
@click.option(
    "--cache-to",
    default="",
    help="Images to write the build's cache to; without a host, in the account's registry",
)
@click.option(
    "--provenance", is_flag=True, help="Attach how it was built; each build then makes a different image"
)
@json_option
def command(context: str, name: str, *, as_json: bool, **options: Any) -> None:
    """Build an image from the folder CONTEXT, name it NAME on the engine, and print its id.

    BuildKit builds if the buildx plug-in is installed. Options that the builder would ignore are refused.
    """
    built = ecr_widgets.connect().build_image(context, name=name, **options)
    tell(built, built.image_id, as_json=as_json)
