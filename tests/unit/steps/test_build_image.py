"""Builds: logins for base images, secrets, and the outcome."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import AuthorizationError, BuildError, BuildRefused, InputError
from ecr_widgets.steps.build_image import BuildImage, BuildOutcome
from tests.fakes import REGISTRY, FakeEcr, FakeEngine, World
from tests.fakes.connections import FakeConnections, make_outside, perform


class Here:
    """A folder to build from, and a world to build in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World()
        self.secrets: list[str] = []
        to = FakeConnections(self.world)
        to.register_secret = self.secrets.append  # type: ignore[method-assign]
        self.outside = make_outside(to)

    def build(self, text: str, **options: Any) -> BuildOutcome:
        (self.folder / "Dockerfile").write_text(text)
        return perform(BuildImage(self.folder, name="app", **options), self.outside)


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


@pytest.mark.parametrize(
    ("text", "logins"),
    [
        (f"FROM {REGISTRY}/base:1\n", (REGISTRY,)),
        (f"FROM busybox\nCOPY --from={REGISTRY}/tools:1 /a /b\n", (REGISTRY,)),
        (f"FROM busybox\nRUN --mount=type=bind,from={REGISTRY}/tools:1,target=/t true\n", (REGISTRY,)),
        (f"# syntax={REGISTRY}/frontend:1\nFROM busybox\n", (REGISTRY,)),
        (f"ARG FROM={REGISTRY}\nFROM ${{FROM}}/base:1\n", (REGISTRY,)),
        ("FROM other.example/base:1\n", ()),
        ("FROM busybox\n", ()),
    ],
)
def test_the_token_goes_along_for_the_accounts_own_registry(
    here: Here, text: str, logins: tuple[str, ...]
) -> None:
    """A build gets a login for the account's own registry if its Dockerfile names it, and asks AWS for no token otherwise."""
    here.build(text)
    assert here.world.built_with == [logins]
    assert here.world.tokens_issued == (0 if text == "FROM busybox\n" else 1)


def test_the_cache_is_an_image_of_that_registry_too(here: Here) -> None:
    """A cache image in the account's registry gets the login too, whether it is read or written."""
    here.build("FROM busybox\n", cache_from=f"{REGISTRY}/c:1")
    here.build("FROM busybox\n", cache_to=f"{REGISTRY}/c:1")
    assert here.world.built_with == [(REGISTRY,)] * 2


def test_a_token_that_is_refused_is_renewed_once(here: Here) -> None:
    """If the registry refuses the token during a build, it is renewed once."""
    here.outside.session.token()
    here.world.valid_passwords.clear()
    assert here.build(f"FROM {REGISTRY}/base:1\n").image == "app"
    assert here.world.tokens_issued == 2


SHARED = "222233334444.dkr.ecr.us-east-1.amazonaws.com"
FAR = "222233334444.dkr.ecr.eu-west-1.amazonaws.com"


def test_other_accounts_and_regions_in_ecr_get_a_token_too(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base images in another account's or region's ECR get this identity's token, of that region; a region without one is left out."""
    asked: list[str | None] = []

    def ecr_of(*, profile: str | None, region: str | None) -> FakeEcr:
        asked.append(region)
        if region == "cn-north-1":
            raise AuthorizationError("unknown there")
        return FakeEcr(here.world)

    monkeypatch.setattr(here.outside.connections, "ecr_of", ecr_of)
    china = "222233334444.dkr.ecr.cn-north-1.amazonaws.com.cn"
    here.build(f"FROM {SHARED}/base:1\nCOPY --from={FAR}/a:1 /a /a\nCOPY --from={china}/b:1 /b /b\n")
    assert here.world.built_with == [(SHARED, FAR)]
    assert asked == ["eu-west-1", "cn-north-1"]


def test_where_the_token_is_refused_the_users_own_login_counts(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another account's registry refuses the token, the build is tried with the user's own logins, and else fails as it did."""
    build = FakeEngine.build
    refusals: list[tuple[str, ...]] = []
    helps = True

    def refuse(self: FakeEngine, *args: Any, logins: Any, **more: Any) -> str:
        if logins or not helps:
            refusals.append(tuple(each.registry for each in logins))
            raise AuthorizationError(f"refused {refusals[-1]}")
        return build(self, *args, logins=logins, **more)

    monkeypatch.setattr(FakeEngine, "build", refuse)
    here.build(f"FROM {SHARED}/base:1\n")
    assert (refusals, here.world.built_with) == ([(SHARED,)] * 2, [()])
    helps = False
    with pytest.raises(AuthorizationError, match=SHARED):
        here.build(f"FROM {SHARED}/base:1\n")


def test_a_build_whose_base_image_was_throttled_is_made_again(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that a busy registry stopped is made again after a pause; a wrong Dockerfile is not."""
    build = FakeEngine.build
    failures = [BuildError("toomanyrequests: Rate exceeded", retryable=True), BuildError("no such file")]

    def fail(self: FakeEngine, *args: Any, **more: Any) -> str:
        if failures:
            raise failures.pop(0)
        return build(self, *args, **more)

    monkeypatch.setattr(FakeEngine, "build", fail)
    with pytest.raises(BuildError, match="no such file"):
        here.build("FROM busybox\n")
    assert not failures
    failures.append(BuildError("toomanyrequests: Rate exceeded", retryable=True))
    here.build("FROM busybox\n")
    assert here.world.built_with == [()]


def test_without_aws_a_base_image_is_left_to_the_users_own_login(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without AWS credentials, a build on another registry's image still works."""

    def refused(_: FakeEcr) -> None:
        raise AuthorizationError("no identity")

    monkeypatch.setattr(FakeEcr, "authorization_token", refused)
    here.build("FROM other.example/base:1\n")
    assert here.world.built_with == [()]


def test_secrets_are_known_before_anything_is_built(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build secrets are registered for masking."""
    monkeypatch.setenv("NPM_TOKEN", "npm-secret-1")
    here.build("FROM busybox\n", secrets={"npm": "NPM_TOKEN"})
    assert here.secrets == ["npm-secret-1"]


@pytest.mark.parametrize(
    ("value", "why"), [(None, "is not set"), ("", "is not set"), ("short", "fewer than 8")]
)
def test_a_secret_that_is_not_there_is_refused(
    here: Here, monkeypatch: pytest.MonkeyPatch, value: str | None, why: str
) -> None:
    """A missing, empty or too short secret is refused before anything is built, and its value is not shown."""
    if value is not None:
        monkeypatch.setenv("NPM_TOKEN", value)
    with pytest.raises(InputError, match=why) as caught:
        here.build("FROM busybox\n", secrets={"npm": "NPM_TOKEN"})
    assert value is None or value == "" or value not in str(caught.value)
    assert here.world.built_with == []


def test_the_outcome_names_the_builder(here: Here) -> None:
    """The outcome names the builder."""
    assert here.build("FROM busybox\n").builder == "a builder in memory"


def test_building_the_same_twice_changes_nothing(here: Here) -> None:
    """`changed` is true only if the build gave another image id."""
    changed = [here.build(text).changed for text in ("FROM busybox", "FROM busybox", "FROM busybox\nENV A=1")]
    assert changed == [True, False, True]


def test_a_large_context_is_told_before_it_is_sent(here: Here) -> None:
    """A context that takes long to send is told with its size, its largest file and what keeps a file out of it."""
    (here.folder / "small").write_text("few bytes")
    with (here.folder / "disk.img").open("wb") as sparse:
        sparse.truncate(200_000_000_000)
    with pytest.warns(UserWarning, match=r"has 200\.0 GB, 200\.0 GB of it in 'disk\.img'.*\.dockerignore"):
        here.build("FROM busybox\n")
    (here.folder / ".dockerignore").write_text("*.img\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        here.build("FROM busybox\n")


def test_a_missing_dockerfile_or_context_is_named(here: Here) -> None:
    """A missing Dockerfile or context is named in the error."""
    with pytest.raises(BuildRefused, match=r"Dockerfile\.wait"):
        here.build("FROM busybox", dockerfile="Dockerfile.wait")
    with pytest.raises(BuildRefused, match="nowhere"):
        perform(BuildImage(here.folder / "nowhere", name="app"), here.outside)
