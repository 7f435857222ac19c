"""Every step as one call that leaves its record: what runbooks, panels and command line all go through."""

from __future__ import annotations

from ecr_widgets.kit.kit import Kit

__all__ = ["Kit"]
