"""A list of the calls, as a page without scripts; the real server has Swagger's own pages instead."""

from __future__ import annotations

import html

from ecr_widgets.sandbox.layer0.routes import ROUTES


def page(version: str) -> str:
    """`GET /apidocs/`."""
    calls = [f"{each.method} {each.path}" for each in ROUTES if not each.is_addition]
    rows = "".join(f"<li>{html.escape(call)}" for call in calls)
    title = f"Layer0 API {html.escape(version)}"
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><ul>{rows}</ul>"
