"""A Layer0 API server whose services and tasks are real containers.

`routes` HTTP · `logic` rules · `store` what stands · `scheduler` keeps services and tasks as wanted · `engine` containers ·
`render` the document that Layer0 hands back · `errors` code to status · `server` on its port.
"""

from __future__ import annotations

from ecr_widgets.sandbox.layer0.server import Layer0Sandbox

__all__ = ["Layer0Sandbox"]
