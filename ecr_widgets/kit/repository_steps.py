"""The kit's steps for maintaining repositories and images, and for copying images: `kit.ecr`."""

from __future__ import annotations

from ecr_widgets import steps
from ecr_widgets.kit.runner import Steps, call


class RepositorySteps(Steps):
    """What `kit.ecr` offers; each call leaves a record."""

    change_repository = call(lambda: steps.ChangeRepository)
    check_repository = call(lambda: steps.CheckRepository)
    set_lifecycle_policy = call(lambda: steps.SetLifecyclePolicy)
    delete_repository = call(lambda: steps.DeleteRepository)
    tag_image = call(lambda: steps.TagImage)
    find_findings = call(lambda: steps.FindFindings)
    find_uses = call(lambda: steps.FindUses)
    find_unused_images = call(lambda: steps.FindUnusedImages)
    delete_images = call(lambda: steps.DeleteImages)
    copy_image = call(lambda: steps.CopyImage)
