"""`ecr-widgets copy`."""

from __future__ import annotations

import click

from ecr_widgets.cli.printing import json_option, tell
from ecr_widgets.cli.waiting import wait_option


@click.command(name="copy")
@click.argument("source")
@click.argument("target")
@click.option(
    "--to-profile", default="", help="AWS profile of the account to copy to  [default: this one's own]"
)
@click.option("--to-region", default="", help="AWS region to copy to  [default: the profile's own]")
@wait_option("--wait")
@json_option
def command(
    source: str, target: str, *, to_profile: str, to_region: str, wait_if_busy_s: float, as_json: bool
) -> None:
    """Copy an image from SOURCE to TARGET, each REPOSITORY:TAG (or @DIGEST for the source) of an account's registry.

    The registry's host may stand in front; one that profile and region do not lead to is refused.

    Registry to registry: no engine takes part, the digest stays, and layers that stand are not sent again. The target's
    repository must exist.
    """
    from ecr_widgets.connections import connect
    from ecr_widgets.errors import InvalidReference
    from ecr_widgets.model.image_reference import ImageReference

    found, wanted = ImageReference.parse(source), ImageReference.parse(target)
    reference = found.digest or found.tag
    if reference is None or wanted.tag is None:
        missing = source if reference is None else target
        raise InvalidReference(f"{missing} names no tag", hint="write REPOSITORY:TAG")
    ecr = connect(wait_s=wait_if_busy_s).ecr
    done = ecr.copy_image(
        ecr.name_of(found),
        reference,
        to_repository=ecr.name_of(wanted, profile=to_profile, region=to_region),
        to_tag=wanted.tag,
        to_profile=to_profile,
        to_region=to_region,
    )
    tell(done, str(done.image), as_json=as_json)
