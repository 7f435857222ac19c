"""All rows that run; importing this fills the plan."""

from tests.faults.rows import crashes, layer0, live_secrets, replies, secret_texts, targets

__all__ = ["crashes", "layer0", "live_secrets", "replies", "secret_texts", "targets"]
