"""Secrets: what they look like, in which encodings tools write them, and how texts are cleared of them."""
