"""Maps each call to its function."""

from __future__ import annotations

from ecr_widgets.sandbox.ecs.actions import (
    clusters,
    service_deployments,
    services,
    tagging,
    task_definitions,
    tasks,
)
from ecr_widgets.sandbox.ecs.entities import Wire
from ecr_widgets.sandbox.ecs.faults import unsupported
from ecr_widgets.sandbox.ecs.world import Action, World


def act(world: World, operation: str, given: Wire) -> Wire:
    """Carry out a request.

    Raises:
        EcsError: The request is refused.
    """
    action = _ACTIONS.get(operation)
    if action is None:
        raise unsupported(f"call {operation}")
    answer: Wire = action(world, given)
    return answer


def _account_settings(_: World, __: Wire) -> Wire:
    return {"settings": []}


_ACTIONS: dict[str, Action] = {
    "CreateCluster": clusters.create,
    "UpdateCluster": clusters.update,
    "UpdateClusterSettings": clusters.update,
    "PutClusterCapacityProviders": clusters.update,
    "DescribeClusters": clusters.describe,
    "ListClusters": clusters.list_all,
    "DeleteCluster": clusters.delete,
    "ListContainerInstances": clusters.list_instances,
    "DescribeContainerInstances": clusters.describe_instances,
    "RegisterTaskDefinition": task_definitions.register,
    "DescribeTaskDefinition": task_definitions.describe,
    "ListTaskDefinitions": task_definitions.list_all,
    "ListTaskDefinitionFamilies": task_definitions.list_families,
    "DeregisterTaskDefinition": task_definitions.deregister,
    "DeleteTaskDefinitions": task_definitions.delete,
    "CreateService": services.create,
    "UpdateService": services.update,
    "DescribeServices": services.describe,
    "ListServices": services.list_all,
    "DeleteService": services.delete,
    "RunTask": tasks.run,
    "StopTask": tasks.stop,
    "ListTasks": tasks.list_all,
    "DescribeTasks": tasks.describe,
    "ExecuteCommand": tasks.execute_command,
    "ListServiceDeployments": service_deployments.list_all,
    "DescribeServiceDeployments": service_deployments.describe,
    "DescribeServiceRevisions": service_deployments.describe_revisions,
    "StopServiceDeployment": service_deployments.stop,
    "ContinueServiceDeployment": service_deployments.go_on,
    "TagResource": tagging.tag,
    "UntagResource": tagging.untag,
    "ListTagsForResource": tagging.list_all,
    "ListAccountSettings": _account_settings,
}
