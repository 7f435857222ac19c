"""All rows that run; importing this fills the plan."""

from tests.faults.rows import crashes, replies, secret_texts, targets

__all__ = ["crashes", "replies", "secret_texts", "targets"]
