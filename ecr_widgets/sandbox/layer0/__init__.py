"""A Layer0 API server whose services and tasks are real containers.

`handler` HTTP · `routes` paths · `bodies` and `wire` shapes in and out · `logic` rules · `store` what stands, also over
a restart · `tags` name resolution · `scheduler` keeps services and tasks as wanted · `containers` what is needed of an
engine, `engine` the real one · `balancers`, `health`, `forwarding`, `certificates` the load balancers ·
`dockerrun` and `render` the document on its way in and out · `errors` code to status · `server` on its port.
"""

from __future__ import annotations

from ecr_widgets.sandbox.layer0.engine import DockerContainers
from ecr_widgets.sandbox.layer0.server import Layer0Sandbox

__all__ = ["DockerContainers", "Layer0Sandbox"]
