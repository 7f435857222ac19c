"""Who may send requests to the sandbox's servers."""

from __future__ import annotations

import pytest

from ecr_widgets.sandbox.visitors import refuse_visitor

OWN = "127.0.0.1:5000"


@pytest.mark.parametrize(
    "host", [None, "", "evil.example:5000", "127.0.0.1.evil.example:5000", "localhost:5000"]
)
@pytest.mark.parametrize("any_port", [True, False])
def test_a_name_that_was_pointed_at_this_machine_is_refused(host: str | None, *, any_port: bool) -> None:
    """A request for any other host name is refused, so DNS rebinding does not work."""
    assert refuse_visitor(host=host, origin=None, own_host=OWN, any_port=any_port) is not None


def test_another_port_passes_only_where_a_program_may_be_in_between() -> None:
    """Another port in the Host header is accepted only where a proxy may be in between."""
    assert refuse_visitor(host="127.0.0.1:6000", origin=None, own_host=OWN, any_port=True) is None
    assert refuse_visitor(host="127.0.0.1:6000", origin=None, own_host=OWN) is not None
    assert refuse_visitor(host=OWN, origin=None, own_host=OWN) is None


@pytest.mark.parametrize("origin", ["null", "http://127.0.0.1:5000", "https://evil.example"])
def test_a_web_page_is_refused_whatever_its_origin(origin: str) -> None:
    """A request with any web page's origin is refused."""
    assert refuse_visitor(host=OWN, origin=origin, own_host=OWN, any_port=True) is not None
