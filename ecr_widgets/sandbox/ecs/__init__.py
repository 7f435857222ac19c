"""Amazon ECS over the same scheduler and real containers as Layer0's front, with CloudWatch Logs for their output.

`ecs_sandbox` puts it together · `wire` requests and answers · `faults` AWS's errors · `actions` the calls, one module per kind of
entity · `entities`, `store` what is kept across a restart · `names` ARNs · `shapes` answers · `rollout`, `stages` how ECS's own
scheduler deploys · `target_groups` load balancing · `startup` secrets and log groups before a start · `logs` log groups.
"""

from __future__ import annotations

from ecr_widgets.sandbox.ecs.ecs_sandbox import EcsSandbox

__all__ = ["EcsSandbox"]
