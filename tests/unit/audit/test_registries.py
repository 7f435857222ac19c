"""Which token is used to ask for an image of a past run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecr_widgets.audit.registries import Registries
from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import RegistryId
from tests.fakes import FakeEcr, World

DIGEST = "sha256:" + "a" * 64


class _Ecr(FakeEcr):
    """The ECR of one account in one region."""

    def __init__(self, region: str) -> None:
        super().__init__(World())
        self._region = region

    def registry_id(self) -> RegistryId:
        return RegistryId("111222333444", self._region)

    def authorization_token(self) -> AuthorizationToken:
        host = f"111222333444.dkr.ecr.{self._region}.amazonaws.com"
        return replace(super().authorization_token(), registry=host)


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> Registries:
    monkeypatch.setattr(Registries, "_ecr", lambda _, region: _Ecr(region or "us-east-1"))
    return Registries()


@pytest.mark.parametrize(
    ("host", "asked", "region"),
    [
        ("111222333444.dkr.ecr.us-east-1.amazonaws.com", "111222333444.dkr.ecr.us-east-1.amazonaws.com", "us-east-1"),
        ("111222333444.dkr-ecr.us-east-1.on.aws", "111222333444.dkr.ecr.us-east-1.amazonaws.com", "us-east-1"),
        ("111222333444.dkr.ecr.eu-west-1.amazonaws.com", "111222333444.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
        ("999999999999.dkr.ecr.eu-west-1.amazonaws.com", "999999999999.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
        (None, "111222333444.dkr.ecr.us-east-1.amazonaws.com", "us-east-1"),
    ],
)  # fmt: skip
def test_an_image_is_asked_for_with_the_token_of_its_region(
    registries: Registries, host: str | None, asked: str, region: str
) -> None:
    """An image is asked for with a token of its own region, also if it was named by another name of the registry."""
    image, token = registries.resolve(ImageReference(host, "team/app", digest=DIGEST))
    assert (image.registry, image.digest) == (asked, DIGEST)
    assert f".{region}." in token.registry


@pytest.mark.parametrize("host", ["docker.io", "registry.example:5000", "ghcr.io"])
def test_a_registry_for_which_there_is_no_token_is_refused(registries: Registries, host: str) -> None:
    """An image in any other registry is refused, because AWS's token must not go there."""
    with pytest.raises(InvalidReference, match=r"is not the registry that is used here"):
        registries.resolve(ImageReference(host, "team/app", digest=DIGEST))
