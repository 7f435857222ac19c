"""A Layer0 API server whose services and tasks are real containers.

`handler` HTTP · `routes` paths · `bodies` and `wire` requests and answers · `logic` rules · `store` entities and tags, kept across
a restart · `tags` name resolution · `dockerrun` and `render` reading and writing the document · `api_errors` codes and statuses ·
`layer0_sandbox` the server on its port. `sandbox.workloads` runs the containers.
"""

from __future__ import annotations

from ecr_widgets.sandbox.layer0.layer0_sandbox import Layer0Sandbox

__all__ = ["Layer0Sandbox"]
