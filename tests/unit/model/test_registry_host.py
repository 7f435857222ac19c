"""Which registry a host is, and what a reference with it means."""

from __future__ import annotations

import pytest
from botocore.loaders import create_loader

from ecr_widgets.errors import InvalidReference
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import (
    OwnRegistry,
    RegistryId,
    Sameness,
    registry_id_of,
    repository_name,
)

HOST = "111222333444.dkr.ecr.us-east-1.amazonaws.com"
OWN = OwnRegistry(HOST, RegistryId("111222333444", "us-east-1"))
SANDBOX = OwnRegistry("127.0.0.1:5000", RegistryId("111222333444", "us-east-1"))


@pytest.mark.parametrize(
    ("host", "found"),
    [
        (HOST, ("111222333444", "us-east-1")),
        (f"{HOST}:443", ("111222333444", "us-east-1")),
        (HOST.upper(), ("111222333444", "us-east-1")),
        ("111222333444.dkr.ecr-fips.us-gov-west-1.amazonaws.com", ("111222333444", "us-gov-west-1")),
        ("111222333444.dkr.ecr.cn-north-1.amazonaws.com.cn", ("111222333444", "cn-north-1")),
        ("111222333444.dkr-ecr.eu-central-1.on.aws", ("111222333444", "eu-central-1")),
        ("111222333444.dkr-ecr-fips.us-east-2.on.aws", ("111222333444", "us-east-2")),
        ("111222333444.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", ("111222333444", "cn-north-1")),
        ("111222333444.dkr.ecr.eusc-de-east-1.amazonaws.eu", ("111222333444", "eusc-de-east-1")),
        ("111222333444.dkr.ecr.us-iso-east-1.c2s.ic.gov", ("111222333444", "us-iso-east-1")),
        ("111222333444.dkr.ecr.us-east-1.vpce.amazonaws.com", ("111222333444", "us-east-1")),
        ("111222333444.vpce-0a1b-2c3d.dkr.ecr.us-east-1.vpce.amazonaws.com", ("111222333444", "us-east-1")),
        ("vpce-0a1b-2c3d.dkr.ecr.us-east-1.vpce.amazonaws.com", None),
        ("127.0.0.1:5000", None),
        ("11122233344.dkr.ecr.us-east-1.amazonaws.com", None),
        ("111222333444.dkr.ecr.us-east-1.amazonaws.com.evil.example", None),
        ("evil.example.111222333444.dkr.ecr.us-east-1.amazonaws.com", None),
        ("111222333444.dkr.ecr.us-east-1.amazonaws.com\n", None),
        ("111222333444.dkr.ecr.us-east-1.amazonaws.com:80", None),
        ("\u0661" * 12 + ".dkr.ecr.us-east-1.amazonaws.com", None),
    ],
)
def test_an_ecr_host_tells_account_and_region(host: str, found: tuple[str, str] | None) -> None:
    """An ECR host has an account and a region in every partition and endpoint form; other hosts have none."""
    assert registry_id_of(host) == (RegistryId(*found) if found else None)


def test_every_partition_that_botocore_knows_is_known() -> None:
    """In each partition's regions plain, FIPS and dual-stack hosts have an account and a region."""
    partitions = create_loader().load_data("partitions")["partitions"]
    assert len(partitions) > 5
    for each in partitions:
        plain = each["outputs"]["dnsSuffix"]
        dual = each["outputs"]["dualStackDnsSuffix"].replace("api.", "on.", 1)
        for region in each["regions"]:
            for middle, suffix in (("dkr.ecr", plain), ("dkr-ecr", dual)):
                for fips in ("", "-fips"):
                    host = f"111222333444.{middle}{fips}.{region}.{suffix}"
                    assert registry_id_of(host) == RegistryId("111222333444", region), host


@pytest.mark.parametrize(
    ("own", "host", "same"),
    [
        (OWN, HOST, "same"),
        (OWN, "111222333444.dkr-ecr.us-east-1.on.aws", "same"),
        (OWN, "111222333444.dkr.ecr-fips.us-east-1.amazonaws.com", "same"),
        (SANDBOX, HOST, "same"),
        (SANDBOX, "localhost:5000", "same"),
        (SANDBOX, "[::1]:5000", "same"),
        (SANDBOX, "127.0.0.1:5001", "unknown"),
        (OWN, "222333444555.dkr.ecr.us-east-1.amazonaws.com", "other"),
        (OWN, "111222333444.dkr.ecr.eu-west-1.amazonaws.com", "other"),
        (OWN, "vpce-0a1b-2c3d.dkr.ecr.us-east-1.vpce.amazonaws.com", "unknown"),
        (OWN, "vpce-0a1b-2c3d.dkr.ecr.eu-west-1.vpce.amazonaws.com", "other"),
        (OWN, "registry.example.com", "unknown"),
        (OWN, "docker.io", "other"),
        (OWN, "ghcr.io", "other"),
        (OWN, "public.ecr.aws", "other"),
        (OWN, None, "other"),
        (OwnRegistry("127.0.0.1:5000", None), HOST, "unknown"),
    ],
)
def test_account_and_region_say_whether_it_is_the_same_registry(
    own: OwnRegistry, host: str | None, same: str
) -> None:
    """A host is the same registry, another or unknown by its account and region."""
    assert own.sameness(host) is Sameness(same)


def test_a_reference_becomes_one_of_the_registry_or_is_refused() -> None:
    """A reference to the own registry gets its usual host; one to another registry is refused with both hosts and options."""
    for text in ("app:1", f"{HOST}/app:1", "111222333444.dkr-ecr.us-east-1.on.aws/app:1"):
        assert str(OWN.own(ImageReference.parse(text))) == f"{HOST}/app:1"
    with pytest.raises(
        InvalidReference, match=r"222333444555.*is not the registry that is used here"
    ) as refused:
        OWN.own(ImageReference.parse("222333444555.dkr.ecr.eu-west-1.amazonaws.com/app:1"))
    assert "--to-profile, --to-region" in str(refused.value)
    for text in (
        "docker.io/app:1",
        "vpce-0a1b-2c3d.dkr.ecr.us-east-1.vpce.amazonaws.com/app:1",
        "a.test/app:1",
    ):
        with pytest.raises(InvalidReference):
            OWN.own(ImageReference.parse(text))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("app", "app"),
        ("team/app", "team/app"),
        (f"{HOST}/team/app", "team/app"),
        ("111222333444.dkr-ecr.us-east-1.on.aws/app", "app"),
        (f"{HOST}/docker.io/library/app", "docker.io/library/app"),
        ("quay.io/mirrored", "quay.io/mirrored"),
    ],
)
def test_a_repository_may_be_given_with_its_registry(given: str, name: str) -> None:
    """A repository may include its own registry's host, which is removed; an existing mirror named like a host is kept."""
    assert (
        repository_name(
            given,
            lambda: OWN,
            exists=lambda each: each == "quay.io/mirrored",
            creates_on_pull=lambda _: False,
        )
        == name
    )


@pytest.mark.parametrize(
    "given",
    [
        "222333444555.dkr.ecr.us-east-1.amazonaws.com/app",
        "111222333444.dkr.ecr.eu-west-1.amazonaws.com/app",
        "docker.io/library/app",
        "quay.io/app",
        "my.team/app",
        "localhost/app",
        "127.0.0.1:5001/app",
    ],
)
def test_a_repository_of_another_registry_is_refused(given: str) -> None:
    """A repository in another registry is refused, even if the own registry has one of that name."""
    ecr = "dkr.ecr" in given
    with pytest.raises(InvalidReference, match="is not the registry that is used here"):
        repository_name(given, lambda: OWN, exists=lambda _: ecr, creates_on_pull=lambda _: False)


def test_a_name_that_is_like_no_host_asks_nobody() -> None:
    """A name that does not look like a host is used without asking for the registry."""

    def asked(*_: object) -> OwnRegistry:
        raise AssertionError

    assert (
        repository_name("team/app", asked, exists=lambda _: False, creates_on_pull=lambda _: False)
        == "team/app"
    )
