"""All rows that run; importing this fills the plan."""

from tests.faults.rows import (
    bombs,
    crashes,
    hostile_texts,
    layer0,
    live_secrets,
    parsers,
    replies,
    seals,
    secret_texts,
    targets,
)

__all__ = [
    "bombs",
    "crashes",
    "hostile_texts",
    "layer0",
    "live_secrets",
    "parsers",
    "replies",
    "seals",
    "secret_texts",
    "targets",
]
