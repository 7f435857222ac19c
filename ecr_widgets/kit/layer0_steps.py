"""The kit's steps for Layer0's environments, load balancers, links, scale and deletions: `kit.layer0`."""

from __future__ import annotations

from ecr_widgets import steps
from ecr_widgets.kit.runner import Steps, call


class Layer0Steps(Steps):
    """What `kit.layer0` offers; each call leaves a record."""

    adopt = call(lambda: steps.Adopt)
    create_environment = call(lambda: steps.CreateEnvironment)
    set_min_count = call(lambda: steps.SetMinCount)
    create_load_balancer = call(lambda: steps.CreateLoadBalancer)
    link_environments = call(lambda: steps.LinkEnvironments)
    scale_service = call(lambda: steps.ScaleService)
    delete_service = call(lambda: steps.DeleteService)
    delete_load_balancer = call(lambda: steps.DeleteLoadBalancer)
    delete_environment = call(lambda: steps.DeleteEnvironment)
    scale_environment = call(lambda: steps.ScaleEnvironment)
    restore_own_tags = call(lambda: steps.RestoreOwnTags)
    delete_deploy = call(lambda: steps.DeleteDeploy)
    delete_task = call(lambda: steps.DeleteTask)
    delete_job = call(lambda: steps.DeleteJob)
