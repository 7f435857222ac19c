"""`ecr-widgets audit key` and `rotate-key`: the keys that sign and check seals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import BinaryIO

import click

from ecr_widgets.audit.keys import default_ring, export_keys
from ecr_widgets.cli.outcome import OurErrors
from ecr_widgets.errors import RecordError
from ecr_widgets.model.times import to_rfc3339


@click.command(name="rotate-key")
@click.option(
    "--kms", metavar="ARN", help="A key in AWS KMS that signs from now on, instead of one made here."
)
def rotate_key(*, kms: str | None) -> None:
    """Retire the signing key and make a new one; what the old one sealed can still be verified."""
    ring = default_ring()
    key = ring.rotate(now=datetime.now(UTC), kms=kms)
    click.echo(f"seals are signed by key {key.key} from now on, in {kms or ring.folder}")


@click.group(name="key", cls=OurErrors)
def key() -> None:
    """Export the public half of your signing key, or trust a colleague's: it can verify seals, but not make them."""


@key.command(name="export")
@click.option("--pem", is_flag=True, help="Only the key that signs now, in PEM, for cosign and openssl.")
def export_key(*, pem: bool) -> None:
    """Print the public halves of your keys, one per line, retired ones too, for the people who verify your runs.

    The fingerprints go to stderr: send them by another channel than the file, so that nobody can slip in a key, or hide that
    one was retired. After you retire a key, send both again.
    """
    ring = default_ring()
    if pem:
        click.echo(ring.signing_key(now=datetime.now(UTC))[0].pem, nl=False)
        return
    own = ring.own()
    if not own:
        raise RecordError(
            "there is no signing key yet", hint="the first seal makes one: `ecr-widgets audit seal`"
        )
    click.echo(export_keys(own.values()))
    for each in own.values():
        click.echo(f"fingerprint {each.fingerprint}", err=True)


@key.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--fingerprint",
    "fingerprints",
    multiple=True,
    required=True,
    help="As its owner gave it to you, by another channel than FILE; once for each key in FILE.",
)
def trust(*, file: BinaryIO, fingerprints: tuple[str, ...]) -> None:
    """Trust the public keys in FILE, made by `audit key export`, so that their seals can be verified here."""
    for each in default_ring().trust(file.read(), fingerprints):
        retired = f", which was retired {to_rfc3339(each.retired_at)}" if each.retired_at else ""
        click.echo(f"seals of key {each.key} can be checked from now on{retired}")
