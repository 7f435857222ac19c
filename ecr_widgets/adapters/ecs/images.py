"""The digests to which ECS has resolved the tags of a service's images."""

from __future__ import annotations

from collections.abc import Iterator

from ecr_widgets.adapters.ecs.decode import decoded, objects
from ecr_widgets.adapters.ecs.reading import Reading
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.image_reference import ImageReference


class ResolvedImages(Reading):
    """Implements the resolved images of `ports.services.Services`."""

    def resolved_images(self, service_id: str) -> tuple[str, ...]:
        raw = self._raw(service_id)
        arns = [str(each["arn"]) for each in objects(raw, "currentServiceRevisions") if each.get("arn")]
        cluster, name = self._address.in_cluster(service_id, "service")
        found = [
            *(image for each in self._revisions(arns) for image in _by_digest(each, "containerImages")),
            # For services older than service revisions, and for copies of an earlier revision.
            *(
                image
                for each in self._tasks(cluster, serviceName=name, desiredStatus="RUNNING")
                for image in _by_digest(each, "containers")
            ),
        ]
        return tuple(dict.fromkeys(found))


@decoded
def _by_digest(raw: Wire, name: str) -> list[str]:
    return list(_references(objects(raw, name)))


def _references(containers: list[Wire]) -> Iterator[str]:
    for each in containers:
        image, digest = each.get("image"), each.get("imageDigest")
        if image and digest:
            try:
                yield str(ImageReference.parse(str(image)).with_digest(str(digest)))
            except InvalidReference:
                yield f"{image}@{digest}"
