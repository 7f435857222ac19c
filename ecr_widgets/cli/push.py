"""`ecr-widgets push`."""

from __future__ import annotations

import click

import ecr_widgets
from ecr_widgets.cli.printing import json_option, tell
from ecr_widgets.cli.waiting import wait_option
from ecr_widgets.model.encryption import ENCRYPTIONS


@click.command(name="push")
@click.argument("image")
@click.argument("repository")
@click.argument("tag")
@click.option(
    "--create/--no-create", default=False, help="Create the repository if it does not exist  [default: no]"
)
@click.option(
    "--encryption",
    type=click.Choice(ENCRYPTIONS),
    default=None,
    help="With --create: the repository's encryption, which is permanent  [default: AES256, or unchanged]",
)
@click.option(
    "--kms-key",
    default="",
    help="With --encryption KMS: the key's ARN, id or alias  [default: AWS's key for ECR]",
)
@wait_option("--wait")
@json_option
def command(
    image: str,
    repository: str,
    tag: str,
    *,
    create: bool,
    encryption: str | None,
    kms_key: str,
    wait_if_busy_s: float,
    as_json: bool,
) -> None:
    """Push the local IMAGE (name or id) to REPOSITORY of the account's registry as TAG; prints its digest.

    Layers that the registry already has are not sent again.
    """
    if (encryption or kms_key) and not create:
        raise click.UsageError(
            "--encryption and --kms-key are for a new repository: give --create with them."
        )
    kit = ecr_widgets.connect(wait_s=wait_if_busy_s)
    if create:
        # For an image that is not there, or an engine that does not answer, no repository is created.
        kit.look.local_image(image)
        kit.create_repository(repository, encryption=encryption or "", kms_key=kms_key)
    pushed = kit.push_image(image, repository=repository, tag=tag)
    tell(pushed, str(pushed.image), as_json=as_json)
