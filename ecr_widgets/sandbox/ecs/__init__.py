"""Amazon ECS over the same scheduler and real containers as Layer0's front, with CloudWatch Logs of what they print.

`ecs_sandbox` puts it together · `wire` requests and answers · `faults` errors in AWS's words · `actions` a module for each kind of
thing · `entities`, `store` what is known, over a restart · `names` ARNs · `shapes` how it is shown · `rollout` the ways of
ECS's own scheduler · `startup` secrets and log groups before a start · `logs` log groups.
"""

from __future__ import annotations

from ecr_widgets.sandbox.ecs.ecs_sandbox import EcsSandbox

__all__ = ["EcsSandbox"]
