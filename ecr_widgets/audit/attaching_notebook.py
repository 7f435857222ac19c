"""A run's notebook attached to its images, next to the seal: only on request, and only if no other account can read it.

A notebook holds outputs, parameters, logs and paths. Anyone who can pull from the repository can read it, and copies cannot be
recalled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

from ecr_widgets.audit.attaching import Attachable, Attached, HoldsSecret, Payload, attach_to_images
from ecr_widgets.audit.registries import Registries
from ecr_widgets.audit.run_files import files_of
from ecr_widgets.errors import RecordError
from ecr_widgets.model.bucket_path import Place
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import Sameness
from ecr_widgets.model.repository_policy import others_allowed
from ecr_widgets.model.times import to_rfc3339

NOTEBOOK_TYPE = "application/vnd.ecr-widgets.run.v1"
_LAYER_TYPE = "application/x-ipynb+json"
MAX_NOTEBOOK_BYTES = 10_000_000


def read_notebook(runs: Place, run: Attachable, holds_secret: HoldsSecret) -> bytes:
    """Return a run's notebook as it was sealed.

    Raises:
        RecordError: It must not be published, or is not what was sealed.
    """

    def refused(why: str) -> RecordError:
        return RecordError(f"the notebook of run {run.seal.run_id} is not attached to any image: {why}")

    try:
        content = files_of(runs).read(run.seal.path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise refused(f"it cannot be read: {why}") from error
    if len(content) > MAX_NOTEBOOK_BYTES:
        raise refused(f"it is larger than {MAX_NOTEBOOK_BYTES // 1_000_000} MB")
    if hashlib.sha256(content).hexdigest() != run.seal.notebook.sha256:
        # Readers of the attachment can only check its sha256.
        raise refused("it was saved again since it was sealed")
    if holds_secret(content.decode(errors="replace")):
        raise refused("a known secret is in it")
    return content


def attach_notebook(run: Attachable, notebook: bytes, registries: Registries) -> Iterator[Attached]:
    """Attach a run's notebook to each image that the run acted on, if it is not attached already."""
    created = {"org.opencontainers.image.created": to_rfc3339(run.seal.sealed_at)}
    payload = Payload(NOTEBOOK_TYPE, _LAYER_TYPE, notebook, created)
    refuse = partial(_refuse_other_readers, registries)
    yield from attach_to_images(run, payload, registries, what="notebook", refuse=refuse)


def _refuse_other_readers(registries: Registries, image: ImageReference) -> None:
    """Refuse a repository that belongs to another account, or whose policy lets other accounts read it."""
    session = registries.session_for(image)
    own = session.registry()
    if image.registry is None or own.sameness(image.registry) is not Sameness.SAME or own.id is None:
        raise RecordError(f"a notebook is not attached to another account's image: {image.name}")
    others = others_allowed(session.ecr.find_repository_policy(image.repository), own.id.account)
    if others:
        raise RecordError(
            f"a notebook is not attached in {image.repository}: its policy allows {', '.join(others)}",
            hint="attach the seal alone, which holds no output and no value of a parameter",
        )
