"""What every panel on a screen has to be: in view, readable, with roles and names. Checked in the page itself."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Locator, Page, expect

CARD = ".ecrw"
_CONTRAST = """
selector => {
  const channels = colour => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    return colour.startsWith("color(srgb") ? [...found.slice(0, 3).map(c => c * 255), found[3] ?? 1] : found;
  };
  const over = ([r, g, b, a = 1], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = node => {
    for (; node; node = node.parentElement) {
      const found = channels(getComputedStyle(node).backgroundColor);
      if (found.length < 4 || found[3] > 0.5) return found.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll(selector)].filter(
    node => node.checkVisibility() && !node.closest(":disabled")
      && [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()));
  return texts.map(node => {
    const under = behind(node), [one, other] = [light(over(channels(getComputedStyle(node).color), under)), light(under)];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  });
}
"""
_UNNAMED = """
selector => [...document.querySelectorAll(
    ["button", "input", "select", "textarea", "table", "[role=region]"].map(each => `${selector} ${each}`).join())]
  .filter(each => each.checkVisibility())
  .filter(each => !(each.ariaLabel || each.textContent.trim() || [...each.labels ?? []].some(label => label.textContent.trim())))
  .map(each => each.outerHTML.slice(0, 200))
"""

_ASTRAY = """
selector => [...document.querySelectorAll(`${selector} form label`)]
  .filter(label => label.checkVisibility() && label.control)
  .filter(label => {
    const [one, other] = [label.getBoundingClientRect(), label.control.getBoundingClientRect()];
    return one.right > other.left || one.top > other.bottom || other.top > one.bottom;
  })
  .map(label => label.textContent)
"""


def least_contrast(page: Page, selector: str) -> float:
    """Of all texts there, against what is behind them; 4.5 is what WCAG 2.2 asks for (AA)."""
    found: list[float] = page.evaluate(_CONTRAST, selector)
    assert len(found) > 10
    return min(found)


def in_view(found: Locator) -> None:
    """It is there, and nobody has to scroll to read it."""
    expect(found).to_be_visible()
    # Pages scroll by whole pixels: of a line, part of one may be outside.
    expect(found).to_be_in_viewport(ratio=0.95)


def check(page: Page, card: str = CARD) -> None:
    """Everything to press and to type into has a name, beside it; texts can be read; and axe-core, where npm has it, finds
    nothing.
    """
    unnamed = page.evaluate(_UNNAMED, card)
    assert unnamed == [], unnamed
    assert page.evaluate(_ASTRAY, card) == []
    assert least_contrast(page, f"{card} *") >= 4.5
    axe = axe_core()
    if axe is not None:
        page.evaluate(axe)
        broken: list[Any] = page.evaluate(
            "selector => axe.run(selector).then(found => found.violations.map("
            "each => [each.id, each.help, each.nodes.slice(0, 3).map(node => node.html)]))",
            card,
        )
        assert broken == [], broken


@lru_cache(maxsize=1)
def axe_core() -> str | None:
    """The checker's source; None where npm cannot get it."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [npm, "pack", "axe-core@4", "--silent"], cwd=folder, capture_output=True, timeout=60, check=False
        )
        packed = next(Path(folder).glob("*.tgz"), None)
        if done.returncode or packed is None:
            return None
        with tarfile.open(packed) as archive:
            member = archive.extractfile("package/axe.min.js")
            return member.read().decode() if member is not None else None


def make_dark(page: Page) -> None:
    """Choose the dark theme, as people do."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    page.wait_for_timeout(300)
