"""The kit's steps for the upkeep of repositories and images, and for copies: `kit.ecr`."""

from __future__ import annotations

from ecr_widgets.kit.runner import Steps, call
from ecr_widgets.steps.change_repository import ChangeRepository
from ecr_widgets.steps.check_repository import CheckRepository
from ecr_widgets.steps.copy_image import CopyImage
from ecr_widgets.steps.delete_images import DeleteImages
from ecr_widgets.steps.delete_repository import DeleteRepository
from ecr_widgets.steps.find_findings import FindFindings
from ecr_widgets.steps.find_unused_images import FindUnusedImages
from ecr_widgets.steps.find_uses import FindUses
from ecr_widgets.steps.set_lifecycle_policy import SetLifecyclePolicy
from ecr_widgets.steps.tag_image import TagImage


class RepositorySteps(Steps):
    """What `kit.ecr` gives: each call leaves its record."""

    change_repository = call(ChangeRepository)
    check_repository = call(CheckRepository)
    set_lifecycle_policy = call(SetLifecyclePolicy)
    delete_repository = call(DeleteRepository)
    tag_image = call(TagImage)
    find_findings = call(FindFindings)
    find_uses = call(FindUses)
    find_unused_images = call(FindUnusedImages)
    delete_images = call(DeleteImages)
    copy_image = call(CopyImage)
