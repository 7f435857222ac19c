"""`ecr-widgets copy`."""

from __future__ import annotations

import click

import ecr_widgets
from ecr_widgets.cli.gating import override_option
from ecr_widgets.cli.printing import json_option, tell
from ecr_widgets.cli.waiting import wait_option


@click.command(name="copy")
@click.argument("source")
@click.argument("target")
@click.option(
    "--to-profile", default="", help="AWS profile of the account to copy to  [default: the current one]"
)
@click.option("--to-region", default="", help="AWS region to copy to  [default: the profile's own]")
@wait_option("--wait")
@override_option
@json_option
def command(
    source: str, target: str, *, to_profile: str, to_region: str, wait_if_busy_s: float, as_json: bool
) -> None:
    """Copy an image from SOURCE to TARGET, each REPOSITORY:TAG (or @DIGEST for the source) of an account's registry.

    Either may begin with its registry's host, which must match the profile and region.

    Copies from registry to registry: no engine is needed, the digest stays the same, and layers that the target already
    has are not sent again. The target's repository must exist.
    """
    from ecr_widgets.errors import InvalidReference
    from ecr_widgets.model.image_reference import ImageReference

    copied, wanted = ImageReference.parse(source), ImageReference.parse(target)
    reference = copied.digest or copied.tag
    if reference is None or wanted.tag is None:
        missing = source if reference is None else target
        raise InvalidReference(f"{missing} has no tag", hint="write REPOSITORY:TAG")
    kit = ecr_widgets.connect(wait_s=wait_if_busy_s)
    done = kit.ecr.copy_image(
        kit.name_of(copied),
        reference,
        to_repository=kit.name_of(wanted, profile=to_profile, region=to_region),
        to_tag=wanted.tag,
        to_profile=to_profile,
        to_region=to_region,
    )
    tell(done, str(done.image), as_json=as_json)
