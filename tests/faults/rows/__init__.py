"""All rows that run; importing this fills the plan."""

from tests.faults.rows import (
    aws,
    bombs,
    crashes,
    hostile_texts,
    layer0,
    lines,
    live_secrets,
    parsers,
    recording,
    replies,
    saved_runs,
    seals,
    secret_texts,
    shown_secrets,
    targets,
)

__all__ = [
    "aws",
    "bombs",
    "crashes",
    "hostile_texts",
    "layer0",
    "lines",
    "live_secrets",
    "parsers",
    "recording",
    "replies",
    "saved_runs",
    "seals",
    "secret_texts",
    "shown_secrets",
    "targets",
]
