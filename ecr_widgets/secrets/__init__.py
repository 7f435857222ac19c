"""Secrets: what they look like, in which encodings tools write them, and how they are masked in texts."""
