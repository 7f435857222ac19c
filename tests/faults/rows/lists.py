"""Part E before lists: pages without an end, tags of a megabyte."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any
from unittest import mock

import boto3
from botocore.config import Config

from ecr_widgets.adapters import boto_ecr as adapter
from ecr_widgets.adapters.boto_ecr import BotoEcr
from ecr_widgets.errors import RegistryError
from ecr_widgets.kit import Kit
from ecr_widgets.panels.images import ImagesPanel
from ecr_widgets.panels.picture import LARGEST_BUNDLE_BYTES
from ecr_widgets.recording.recorder import Recorder
from ecr_widgets.recording.terminal import QuietSink
from tests.fakes import World, digest_of
from tests.fakes.connections import FakeConnections
from tests.faults.plan import Attempt, leaving_sockets, row
from tests.unit.adapters.scripted import Request, answering, http

PAGE = 1000
MOST_PAGES = 50
"""For these tries in place of the adapter's own: each page takes a while."""


def _image(page: int, number: int, tags: list[str]) -> dict[str, Any]:
    digest = digest_of(f"{page} {number}")
    return {"imageDigest": digest, "imageTags": tags, "imageSizeInBytes": 1, "imagePushedAt": 1.7e9 + number}


def _repository(page: int) -> dict[str, Any]:
    name = f"team/app{page}"
    told = {"repositoryName": name, "repositoryUri": f"registry.test/{name}", "registryId": "111222333444"}
    return told | {
        "repositoryArn": f"arn:aws:ecr:us-east-1:111222333444:repository/{name}",
        "createdAt": 1.7e9,
    }


def _server(
    next_token: Callable[[int], str], tags: Callable[[int], list[str]], page: int
) -> Callable[[Request], bytes]:
    pages: list[int] = []

    def answer(_: Request) -> bytes:
        number = len(pages)
        pages.append(number)
        images = [_image(number, each, tags(each)) for each in range(page)]
        told: Mapping[str, Any] = {
            "imageDetails": images,
            "repositories": [_repository(number)],
            "nextToken": next_token(number),
        }
        return http(200, json.dumps(told).encode(), label="application/x-amz-json-1.1")

    return answer


ENDLESS: dict[str, Callable[[int], str]] = {
    "the same token": lambda _: "again",
    "a ring of tokens": lambda page: f"token {page % 3}",
    "a new token for ever": lambda page: f"token {page}",
}


def _session() -> boto3.Session:
    return boto3.Session("AKIAEXAMPLE", "not-a-real-secret-key", region_name="us-east-1")


@leaving_sockets()
def _endless(at: Attempt, *, naive: bool = False) -> None:
    kind = sorted(ENDLESS)[at.seed % 4 - 1]
    server = _server(ENDLESS["a ring of tokens" if naive else kind], lambda _: ["1"], 1)
    with answering(server) as aws, mock.patch.dict("os.environ", {"AWS_ENDPOINT_URL": aws.url}):
        if naive:
            # What boto3 gives for it: it knows a token that comes twice in a row, and no ring.
            client = _session().client("ecr", config=Config(retries={"total_max_attempts": 1}))
            pages = client.get_paginator("describe_images").paginate(repositoryName="team/app")
            assert len([*islice(pages, MOST_PAGES + 10)]) <= MOST_PAGES, "it goes on and on"
            return
        ecr = BotoEcr(_session())
        with mock.patch.object(adapter, "_MOST_PAGES", MOST_PAGES):
            read = at.rng.choice((lambda: [*ecr.list_images("team/app")], ecr.list_repositories))
            told = ""
            try:
                read()
            except RegistryError as error:
                told = str(error)
        assert "does not end" in told, f"{kind}: called a whole list"
        assert len(aws.asked) <= MOST_PAGES, len(aws.asked)


@leaving_sockets()
def _large(pages_in_all: int) -> None:
    large = "t" * (1 << 20)
    server = _server(
        lambda page: f"token {page}" if page < pages_in_all - 1 else "",
        lambda number: [large] if number == PAGE - 1 else [f"v{number}", "stable"],
        PAGE,
    )
    with answering(server) as aws, mock.patch.dict("os.environ", {"AWS_ENDPOINT_URL": aws.url}):
        to = FakeConnections(World())
        to.ecr = BotoEcr(_session())  # type: ignore[assignment]
        kit = Kit(to, Recorder("run-1", to.clock, QuietSink()), files=())
        panel = ImagesPanel(kit, "team/app")
        pieces = panel.read()
        for _ in range(pages_in_all):
            next(pieces)
        picture = panel.draw(to.clock.now()).capped()
        assert len(aws.asked) == pages_in_all, len(aws.asked)
        assert not picture.problem, picture.problem
        size_bytes = sum(len(form.encode()) for form in picture.bundle().values())
        assert size_bytes <= LARGEST_BUNDLE_BYTES, f"{size_bytes} bytes for one panel"
        assert len(picture.rows) >= 5, f"{len(picture.rows)} rows are left"
        assert len(picture.rows) + picture.left_out == pages_in_all * PAGE


@row(
    59,
    "lists whose pages never end, by the same token, a ring or ever new ones; 10,000 images, some with a tag of 1 MB",
    tries=20,
    quick=4,
    control=lambda at: _endless(at, naive=True),
)
def hostile_list(at: Attempt) -> None:
    """A list without an end is an error and not a list; a panel of 10,000 images stays small and shows the first."""
    if at.seed % 4 == 0:
        _large(10 if at.full else 3)
    else:
        _endless(at)
