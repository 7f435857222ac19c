"""The kit's steps for Layer0's environments, load balancers, links, scale and deletions: `kit.layer0`."""

from __future__ import annotations

from ecr_widgets.kit.runner import Steps, call
from ecr_widgets.steps.adopt import Adopt
from ecr_widgets.steps.create_environment import CreateEnvironment
from ecr_widgets.steps.create_load_balancer import CreateLoadBalancer
from ecr_widgets.steps.delete_deploy import DeleteDeploy
from ecr_widgets.steps.delete_environment import DeleteEnvironment
from ecr_widgets.steps.delete_job import DeleteJob
from ecr_widgets.steps.delete_load_balancer import DeleteLoadBalancer
from ecr_widgets.steps.delete_service import DeleteService
from ecr_widgets.steps.delete_task import DeleteTask
from ecr_widgets.steps.link_environments import LinkEnvironments
from ecr_widgets.steps.restore_own_tags import RestoreOwnTags
from ecr_widgets.steps.scale_environment import ScaleEnvironment
from ecr_widgets.steps.scale_service import ScaleService
from ecr_widgets.steps.set_min_count import SetMinCount


class Layer0Steps(Steps):
    """What `kit.layer0` gives: each call leaves its record."""

    adopt = call(Adopt)
    create_environment = call(CreateEnvironment)
    set_min_count = call(SetMinCount)
    create_load_balancer = call(CreateLoadBalancer)
    link_environments = call(LinkEnvironments)
    scale_service = call(ScaleService)
    delete_service = call(DeleteService)
    delete_load_balancer = call(DeleteLoadBalancer)
    delete_environment = call(DeleteEnvironment)
    scale_environment = call(ScaleEnvironment)
    restore_own_tags = call(RestoreOwnTags)
    delete_deploy = call(DeleteDeploy)
    delete_task = call(DeleteTask)
    delete_job = call(DeleteJob)
