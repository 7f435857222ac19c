"""Images of stored Dockerruns that this kit would not write itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecr_widgets.dockerrun.images import container_images, image_texts
from ecr_widgets.errors import InvalidDockerrun


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ('{"containerDefinitions": [{"name": "a", "image": "x:1"}]}', {"x:1"}),
        ('{"ContainerDefinitions": [{"Name": "a", "Image": " x:1 "}]}', {"x:1"}),
        ('{"containerDefinitions": [{"image": "x:1", "image": "y:1"}]}', {"x:1", "y:1"}),
        (
            '{"containerDefinitions": [{"image": "x:1"}], "containerDefinitions": [{"image": "y"}]}',
            {"x:1", "y"},
        ),
        ('\ufeff{"containerDefinitions": [{"image": "x:1", "memory": 1e999}]}', {"x:1"}),
        ('{"AWSEBDockerrunVersion": "1", "Image": {"Name": "x:1", "Update": "true"}}', {"x:1", "true"}),
        ('{"containerDefinitions": [{"image": "x:1", "cpu": NaN, "memory": ' + "9" * 5000 + "}]}", {"x:1"}),
        ('[{"image": "x:1"}]', {"x:1"}),
        ('{"containerDefinitions": null}', set()),
        ('{"containerDefinitions": [{"image": null}, {"image": ""}, {"image": 7}, 3]}', {"7"}),
        ("null", set()),
    ],
)
def test_every_image_is_found(document: str, found: set[str]) -> None:
    """Every image in a document is found, however malformed the rest is."""
    assert set(image_texts(document.encode())) == found


@pytest.mark.parametrize(
    "document", [b"", b"{", b"x", b"{}{}", b"[" * 100_000, '{"image": "x"}'.encode("utf-16")]
)
def test_what_is_no_json_is_said(document: bytes) -> None:
    """A document that is not JSON is an error."""
    with pytest.raises(InvalidDockerrun, match="it is not JSON"):
        image_texts(document)


def test_containers_are_read_as_layer0_reads_them() -> None:
    """Names are read in any case and the last of two members counts; an entry without an image is skipped."""
    document = (
        '{"containerdefinitions": [{"name": "a", "IMAGE": "x", "image": "y", "environment": [{"name": "A"},'
        ' {"name": "A"}]}, {"image": "z"}, {"name": "b"}, 1]}'
    )
    assert container_images(document.encode()) == (("a", "y"), ("", "z"))
    assert container_images(b'{"containerDefinitions": 1}') == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["image", "Image", "a"]), inner)
    ),
    max_leaves=8,
)


@given(JSON, st.text(min_size=1, max_size=8).filter(str.strip))
def test_no_surroundings_hide_an_image(around: object, image: str) -> None:
    """An image is found whatever surrounds it."""
    document = json.dumps({"a": [around, {"b": around, "iMaGe": image, "c": around}], "d": around}).encode()
    assert image.strip() in image_texts(document)
