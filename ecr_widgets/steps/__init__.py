"""What the kit does, one verb per module: a frozen value that looks through the ports, then acts; nothing is printed.

Each outcome is what the step's record keeps, and says in `changed` whether this call changed anything. Each class here is
imported from its module when it is first used, such as `CheckTarget` from `check_target`.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecr_widgets.steps.adopt import Adopt as Adopt
    from ecr_widgets.steps.build_image import BuildImage as BuildImage
    from ecr_widgets.steps.change_repository import ChangeRepository as ChangeRepository
    from ecr_widgets.steps.check_evidence import CheckEvidence as CheckEvidence
    from ecr_widgets.steps.check_repository import CheckRepository as CheckRepository
    from ecr_widgets.steps.check_target import CheckTarget as CheckTarget
    from ecr_widgets.steps.continue_deployment import ContinueDeployment as ContinueDeployment
    from ecr_widgets.steps.copy_image import CopyImage as CopyImage
    from ecr_widgets.steps.create_deploy import CreateDeploy as CreateDeploy
    from ecr_widgets.steps.create_environment import CreateEnvironment as CreateEnvironment
    from ecr_widgets.steps.create_load_balancer import CreateLoadBalancer as CreateLoadBalancer
    from ecr_widgets.steps.create_repository import CreateRepository as CreateRepository
    from ecr_widgets.steps.create_task import CreateTask as CreateTask
    from ecr_widgets.steps.delete_deploy import DeleteDeploy as DeleteDeploy
    from ecr_widgets.steps.delete_environment import DeleteEnvironment as DeleteEnvironment
    from ecr_widgets.steps.delete_images import DeleteImages as DeleteImages
    from ecr_widgets.steps.delete_job import DeleteJob as DeleteJob
    from ecr_widgets.steps.delete_load_balancer import DeleteLoadBalancer as DeleteLoadBalancer
    from ecr_widgets.steps.delete_repository import DeleteRepository as DeleteRepository
    from ecr_widgets.steps.delete_service import DeleteService as DeleteService
    from ecr_widgets.steps.delete_task import DeleteTask as DeleteTask
    from ecr_widgets.steps.deploy_service import DeployService as DeployService
    from ecr_widgets.steps.find_findings import FindFindings as FindFindings
    from ecr_widgets.steps.find_image import FindImage as FindImage
    from ecr_widgets.steps.find_service import FindService as FindService
    from ecr_widgets.steps.find_unused_images import FindUnusedImages as FindUnusedImages
    from ecr_widgets.steps.find_uses import FindUses as FindUses
    from ecr_widgets.steps.fleet_result import FleetResult as FleetResult
    from ecr_widgets.steps.link_environments import LinkEnvironments as LinkEnvironments
    from ecr_widgets.steps.login import Login as Login
    from ecr_widgets.steps.plan_fleet import PlanFleet as PlanFleet
    from ecr_widgets.steps.pull_image import PullImage as PullImage
    from ecr_widgets.steps.push_image import PushImage as PushImage
    from ecr_widgets.steps.restore_own_tags import RestoreOwnTags as RestoreOwnTags
    from ecr_widgets.steps.rollback import Rollback as Rollback
    from ecr_widgets.steps.run_wave import RunWave as RunWave
    from ecr_widgets.steps.scale_environment import ScaleEnvironment as ScaleEnvironment
    from ecr_widgets.steps.scale_service import ScaleService as ScaleService
    from ecr_widgets.steps.set_lifecycle_policy import SetLifecyclePolicy as SetLifecyclePolicy
    from ecr_widgets.steps.set_min_count import SetMinCount as SetMinCount
    from ecr_widgets.steps.tag_image import TagImage as TagImage
    from ecr_widgets.steps.verify import Verify as Verify
    from ecr_widgets.steps.wait import Wait as Wait


def name_of(step: str) -> str:
    """The name of a step's records and module from that of its class: `check_target` for `CheckTarget`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", step).lower()


def __getattr__(name: str) -> Any:
    # Imported on first use: a run uses few of them.
    module = f"{__name__}.{name_of(name)}"
    if find_spec(module) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
