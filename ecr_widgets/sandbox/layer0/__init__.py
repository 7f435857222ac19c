"""A Layer0 API server whose services and tasks are real containers.

`handler` HTTP · `routes` paths · `bodies` and `wire` shapes in and out · `logic` rules · `store` entities and tags, also over
a restart · `tags` name resolution · `dockerrun` and `render` the document on its way in and out · `api_errors` code to status ·
`layer0_sandbox` on its port. What runs is kept by `sandbox.workloads`.
"""

from __future__ import annotations

from ecr_widgets.sandbox.layer0.layer0_sandbox import Layer0Sandbox

__all__ = ["Layer0Sandbox"]
