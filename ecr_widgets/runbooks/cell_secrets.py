"""Secrets anywhere in a runbook's cells."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from contextlib import suppress

from ecr_widgets.secrets.parameters import what_secret
from ecr_widgets.secrets.redaction import SecretRegistry

_NOTHING_KNOWN = SecretRegistry()


def secrets_in_text(text: str) -> Iterator[str]:
    """Report what looks like a secret in a Markdown cell, without its value."""
    for number, line in enumerate(text.splitlines(), 1):
        what = what_secret("", line, _NOTHING_KNOWN)
        if what is not None:
            yield f"line {number} holds a text that {what}"


def secrets_in_comments(source: str) -> Iterator[str]:
    """Report what looks like a secret in a code cell's comments, without its value."""
    with suppress(tokenize.TokenError, IndentationError):
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            what = what_secret("", token.string, _NOTHING_KNOWN) if token.type == tokenize.COMMENT else None
            if what is not None:
                yield f"line {token.start[0]} holds a text that {what}"


def secrets_in_code(tree: ast.Module) -> Iterator[str]:
    """Report what looks like a secret in a code cell, by its name or its form, without its value."""
    reported: set[int] = set()
    for name, text, line in _named(tree):
        what = what_secret(name, text, _NOTHING_KNOWN)
        if what is not None and line not in reported:
            reported.add(line)
            yield f"line {line} holds a text that {what}"


def _named(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Each string in the code as (name, text, line); the name is empty if it is not assigned to one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _text(_name_of(target), node.value)
        elif isinstance(node, ast.AnnAssign):
            yield from _text(_name_of(node.target), node.value)
        elif isinstance(node, ast.keyword):
            yield from _text(node.arg or "", node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                yield from _text(_name_of(key), value)
        elif isinstance(node, ast.Constant):
            yield from _text("", node)


def _text(name: str, node: ast.expr | None) -> Iterator[tuple[str, str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
        text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        yield name, text, node.lineno


def _name_of(node: ast.expr | None) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return _name_of(node.slice)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
