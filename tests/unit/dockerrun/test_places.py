"""Values of a document found by paths."""

from __future__ import annotations

from ecr_widgets.dockerrun.places import places


def test_a_path_finds_each_value_with_its_pointer() -> None:
    """A path in any case finds each value with its pointer, which is in the document's spelling and escaped."""
    document = {"A": [{"b/c": 1}, {"B/c": 0}, {}, {"b/c": ""}, {"b/c": None}, {"b/c": False}, {"b/c": []}]}
    assert list(places({"x": document}, "x/a", "")) == [("/x/A", document["A"])]
    assert [at for at, _ in places(document, "a/*", "/root")] == [f"/root/A/{number}" for number in range(7)]
    keyed = {
        "A": [
            {"deep": {"c": 1}},
            {"Deep": {"C": 0}},
            {"deep": {}},
            {"deep": {"c": None}},
            {"deep": {"c": False}},
        ]
    }
    assert list(places(keyed, "a/*/deep/c", "/a~b")) == [("/a~b/A/0/deep/c", 1), ("/a~b/A/1/Deep/C", 0)]
    assert list(places({"a": {"b": ["x", ""]}}, "a/b/*", "")) == [("/a/b/0", "x"), ("/a/b/1", "")]
    assert list(places({}, "a/*/b", "")) == []
