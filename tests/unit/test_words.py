"""Phrases that readers stumbled over do not come back."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTEAD = {
    r"(stands?|stood|is there|was there) already|already stands": "already exists",
    r"(that|which|what|where it|as it|how things) (stands?|stood)\b": "exists, runs, current",
    r"stands? between you": "any proxy on the way",
    r"stand(s|ing)? twice": "appears twice",
    r"go(es|ing)? on with\b": "resume, continue",
    r"mend(s|ed|ing)?\b": "fix",
    r"anew\b": "again",
    r"(tells?|told) of\b": "reports",
    r"(nobody|no one) can tell": "it is not known",
    r"where (it|one|that) is missing": "if it does not exist",
    r"(that|which) is gone is no error": "no error if it does not exist",
    r"in vain\b": "without success",
    r"ha(s|ve) .{1,30} look after": "run",
}
"""Phrases that are not used, as patterns, and what to write instead."""
_STUMBLED = re.compile("|".join(rf"\b(?:{each})" for each in INSTEAD), re.IGNORECASE)


def parts() -> dict[str, list[Path]]:
    """Return the files with prose, by folder or module of the package, or by top-level folder."""
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "ecr_widgets",
            "docs",
            "notebooks",
            "README.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[Path]] = {}
    for name in listed.stdout.split():
        if name.endswith((".py", ".md", ".ipynb")):
            depth = 2 if name.startswith("ecr_widgets/") else 1
            found.setdefault("/".join(name.split("/")[:depth]), []).append(ROOT / name)
    return found


def stumbled(text: str) -> list[str]:
    """Return the phrases in the text, also across a line break."""
    flat = re.sub(r"[\s#]+", " ", text)
    return [match[0] for match in _STUMBLED.finditer(flat)]


@pytest.mark.parametrize("part", sorted(parts()))
def test_prose_is_in_plain_words(part: str) -> None:
    """No file contains any of the phrases."""
    phrases = {str(path.relative_to(ROOT)): stumbled(path.read_text()) for path in parts()[part]}
    assert {path: each for path, each in phrases.items() if each} == {}


@pytest.mark.parametrize("text", ["it stands already", "the deploy that\n    # stands", "Mend it"])
def test_a_phrase_is_found(text: str) -> None:
    """The check finds a phrase in any case and across lines."""
    assert stumbled(text)
