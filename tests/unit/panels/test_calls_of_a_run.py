"""The calls that panels make in a scheduled run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from ecr_widgets.panels.base import Panel
from ecr_widgets.panels.notebook_kit import NotebookKit
from tests.fakes.connections import FakeConnections
from tests.unit.panels.desk import Desk


@pytest.mark.parametrize(
    ("open_panel", "asked"),
    [
        (lambda kit: kit.repositories(), {"list_repositories"}),
        (lambda kit: kit.images("app"), {"list_images"}),
        (lambda kit: kit.deploys("demo", "web"), {"find_environment", "find_service", "list_all_deploys"}),
    ],
)
def test_a_panel_in_a_run_asks_for_one_page(
    monkeypatch: pytest.MonkeyPatch,
    kit: NotebookKit,
    to: FakeConnections,
    open_panel: Callable[[NotebookKit], Panel],
    asked: set[str],
) -> None:
    """In a run a panel makes each of its few calls once, without a token or a manifest."""
    kit.create_repository("app")
    calls: Counter[str] = Counter()

    def count(name: str, plain: Callable[..., object]) -> Callable[..., object]:
        def counted(*given: object, **more: object) -> object:
            calls[name] += 1
            return plain(*given, **more)

        return counted

    for port in (to.ecr, to.layer0, to.registry, to.engine):
        for name in dir(port):
            if not name.startswith("_") and name != "dialect" and callable(getattr(port, name)):
                monkeypatch.setattr(port, name, count(name, getattr(port, name)))
    Desk(monkeypatch, kit, live=False).open(open_panel(kit))
    assert calls == dict.fromkeys(asked, 1)
