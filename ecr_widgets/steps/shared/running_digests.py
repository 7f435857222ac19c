"""What the copies of a service run, by the digest that each container reports."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ecr_widgets.errors import VerifyError
from ecr_widgets.model.services import Copy, Deployment


def reported_digest(
    copies: Sequence[Copy], deployment: Deployment, container: str, wanted: Collection[str], *, service: str
) -> str | None:
    """The digest that all running copies report for a container; None if one of them reports none.

    Args:
        copies: All copies of the service.

        deployment: The deployment that they must belong to.

        wanted: Digests that mean the image: an engine may report an index, or its image for the platform.

    Raises:
        VerifyError: A copy runs another image or belongs to another deployment, or none runs.
    """
    running = [each for each in copies if each.status == "RUNNING"]
    if not running:
        raise VerifyError(f"service {service!r} has no running copy", hint="look at its events and logs")
    reported: set[str | None] = set()
    for each in running:
        if each.deployment_id != deployment.deployment_id:
            raise VerifyError(
                f"copy {each.copy_id} of service {service!r} still runs {each.deploy_id}",
                hint="wait until it has stopped, then verify again",
            )
        digests = {one.image_digest for one in each.containers if one.name == container}
        other = next((digest for digest in digests if digest not in (None, *wanted)), None)
        if other is not None:
            raise VerifyError(
                f"container {container!r} of copy {each.copy_id} runs {other}, not {' or '.join(sorted(wanted))}",
                hint="deploy it by digest: a tag may have moved when the copy was started",
            )
        reported |= digests
    return None if None in reported else min(map(str, reported), default=None)
