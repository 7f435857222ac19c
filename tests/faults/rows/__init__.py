"""All rows that run; importing this fills the plan."""

from tests.faults.rows import aws, crashes, layer0, lines, live_secrets, replies, secret_texts, targets

__all__ = ["aws", "crashes", "layer0", "lines", "live_secrets", "replies", "secret_texts", "targets"]
