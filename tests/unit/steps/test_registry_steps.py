"""login, create_repository, build_image, push_image and pull_image against the fakes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ecr_widgets.errors import (
    AuthorizationError,
    BuildError,
    ImageNotFound,
    InvalidReference,
    PushError,
    RegistryUnavailable,
    RepositoryNotFound,
    TagImmutable,
    VerifyError,
)
from ecr_widgets.model.build_options import BuildOptions
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.steps.build_image import build_image
from ecr_widgets.steps.create_repository import check_repository, create_repository
from ecr_widgets.steps.login import RegistrySession, login
from ecr_widgets.steps.pull_image import pull_image
from ecr_widgets.steps.push_image import PushOutcome, push_image
from tests.fakes import KMS_KEY, REGISTRY, FakeClock, FakeEcr, FakeEngine, FakeRegistry, World, digest_of

TARGET = ImageReference.parse(f"{REGISTRY}/xfra-wait:1")


class Here:
    """One world with everything in it."""

    def __init__(self, context: Path) -> None:
        self.world = World()
        self.ecr = FakeEcr(self.world)
        self.registry = FakeRegistry(self.world)
        self.engine = FakeEngine(self.world)
        self.secrets: list[str] = []
        self.session = RegistrySession(self.ecr, FakeClock(self.world), on_secret=self.secrets.append)
        self.context = context

    def build(self, text: str = "FROM busybox") -> str:
        (self.context / "Dockerfile").write_text(text)
        return build_image(self.engine, self.session, self.context, name="xfra/wait").image_id

    def push(self, source: str = "xfra/wait", target: ImageReference = TARGET) -> PushOutcome:
        return push_image(self.engine, self.registry, self.session, source, target)


@pytest.fixture
def here(tmp_path: Path) -> Here:
    made = Here(tmp_path)
    made.build()
    return made


def test_login_names_registry_and_identity_and_shares_the_secret_first(here: Here) -> None:
    """The outcome tells where and as whom, the password only goes to the secret registry."""
    outcome = login(here.ecr, here.session)
    assert (outcome.registry, outcome.user, outcome.account) == (REGISTRY, "AWS", "111222333444")
    assert here.secrets == ["password-1"]
    assert "password" not in repr(outcome)


def test_login_needs_no_way_to_sts(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who AWS is called as is then not known, the account is in the registry's name, and a warning says why."""

    def nobody() -> None:
        raise RegistryUnavailable("sts:GetCallerIdentity got no answer")

    monkeypatch.setattr(here.ecr, "identity", nobody)
    outcome = login(here.ecr, here.session)
    assert (outcome.account, outcome.identity) == ("111222333444", None)
    assert outcome.warnings == ("who AWS is called as is not known: sts:GetCallerIdentity got no answer",)


def test_a_token_is_reused_until_half_of_its_life_is_over(here: Here) -> None:
    """One token serves many calls, and a long-lived notebook asks in time."""
    for _ in range(3):
        here.session.token()
    here.world.now += timedelta(hours=6, seconds=1)
    here.session.token()
    assert here.world.tokens_issued == 2


def test_a_repository_is_created_once(here: Here) -> None:
    """The same call twice changes nothing the second time."""
    assert create_repository(here.ecr, "xfra-wait").changed
    assert not create_repository(here.ecr, "xfra-wait").changed
    assert here.world.changes == ["create repository xfra-wait"]


def test_a_missing_repository_is_refused_where_creation_is_off(here: Here) -> None:
    """Nothing is created against the parameter's word."""
    with pytest.raises(RepositoryNotFound, match="switched off"):
        create_repository(here.ecr, "xfra-wait", create=False)
    assert here.world.changes == []


@pytest.mark.parametrize("name", ["X", "a", "a//b", "-a", "a" * 257, "a b"])
def test_a_name_that_ecr_refuses_is_refused_before_any_call(here: Here, name: str) -> None:
    """ECR's grammar is checked here, so that the message can say what is wrong."""
    with pytest.raises(InvalidReference):
        create_repository(here.ecr, name)


def test_an_encryption_is_chosen_once_and_told(here: Here) -> None:
    """The outcome has what ECR tells, the key by ARN; where nothing was asked for nothing is told."""
    told = [
        create_repository(here.ecr, "app", encryption=Encryption("KMS", "alias/team")),
        create_repository(here.ecr, "app", encryption=Encryption("KMS", KMS_KEY)),
        create_repository(here.ecr, "app"),
    ]
    assert [(each.changed, each.encryption, each.kms_key) for each in told] == [
        (True, "KMS", KMS_KEY),
        (False, "KMS", KMS_KEY),
        (False, None, None),
    ]


def test_another_encryption_than_stands_is_refused_for_good(here: Here) -> None:
    """It cannot be changed, so the step neither changes the repository nor says that all is well."""
    create_repository(here.ecr, "app")
    for asked in (Encryption("KMS"), Encryption("KMS", KMS_KEY)):
        with pytest.raises(VerifyError, match=f"encryption is AES256 and not {asked}; encryption cannot be"):
            create_repository(here.ecr, "app", encryption=asked)
    assert here.world.changes == ["create repository app"]


def test_a_repository_that_somebody_makes_meanwhile_is_looked_at_too(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they chose is not what was asked for."""
    create_repository(here.ecr, "app")
    monkeypatch.setattr(here.ecr, "find_repository", lambda _: None)
    with pytest.raises(VerifyError, match="encryption is AES256 and not KMS"):
        create_repository(here.ecr, "app", encryption=Encryption("KMS"))


def test_a_check_names_an_encryption_that_differs(here: Here) -> None:
    """Beside the other settings; where none was asked for any will do."""
    create_repository(here.ecr, "app")
    wrong = Encryption("KMS", KMS_KEY)
    with pytest.raises(VerifyError, match=f"tags_immutable is .*, encryption is AES256 and not {wrong}; enc"):
        check_repository(here.ecr, "app", tags_immutable=True, scan_on_push=True, encryption=wrong)
    check_repository(here.ecr, "app", tags_immutable=False, scan_on_push=True)
    right = Encryption("AES256")
    told = check_repository(here.ecr, "app", tags_immutable=False, scan_on_push=True, encryption=right)
    assert (told.encryption, told.kms_key) == ("AES256", None)


def test_building_the_same_twice_changes_nothing(here: Here) -> None:
    """`changed` compares the image id before and after."""
    assert not build_image(here.engine, here.session, here.context, name="xfra/wait").changed
    (here.context / "Dockerfile").write_text("FROM busybox\nENV A=1")
    assert build_image(here.engine, here.session, here.context, name="xfra/wait").changed


def test_a_missing_dockerfile_or_context_is_named(here: Here) -> None:
    """The error names the path that is missing."""
    with pytest.raises(BuildError, match=r"Dockerfile\.wait"):
        build_image(
            here.engine, here.session, here.context, name="xfra/wait", options=BuildOptions("Dockerfile.wait")
        )
    with pytest.raises(BuildError, match="nowhere"):
        build_image(here.engine, here.session, here.context / "nowhere", name="xfra/wait")


def test_a_push_gives_the_registrys_digest_and_pins_the_image(here: Here) -> None:
    """The outcome names the image by the digest that the registry serves."""
    create_repository(here.ecr, "xfra-wait")
    outcome = here.push()
    assert outcome.changed
    assert outcome.image == TARGET.with_digest(outcome.digest)
    assert here.world.tags["xfra-wait", "1"] == outcome.digest


def test_pushing_what_the_registry_serves_already_sends_nothing(here: Here) -> None:
    """The second push of the same image is no push."""
    create_repository(here.ecr, "xfra-wait")
    here.push()
    assert not here.push().changed
    assert here.world.changes.count("push xfra-wait:1") == 1


def test_an_immutable_tag_takes_the_same_image_again(here: Here) -> None:
    """The same digest under an immutable tag is a success."""
    create_repository(here.ecr, "xfra-wait", tags_immutable=True)
    here.push()
    assert not here.push().changed


def test_an_immutable_tag_refuses_another_image_and_names_both(here: Here) -> None:
    """Another image under an immutable tag is refused, image id against image id: a new image has no digest yet."""
    create_repository(here.ecr, "xfra-wait", tags_immutable=True)
    pushed = here.push()
    standing_id = here.engine.find_image_id("xfra/wait")
    wanted_id = here.build("FROM busybox\nENV A=1")
    with pytest.raises(TagImmutable) as caught:
        here.push()
    assert f"names {pushed.digest} (image id {standing_id}) and" in str(caught.value)
    assert f"moved to the local image with image id {wanted_id}:" in str(caught.value)
    assert (caught.value.standing, caught.value.wanted) == (pushed.digest, None)


def test_an_immutable_tag_refuses_an_image_that_was_pushed_before_by_its_digest(here: Here) -> None:
    """Under another tag of the same repository the image has a digest, and the refusal names both digests."""
    create_repository(here.ecr, "xfra-wait", tags_immutable=True)
    standing = here.push().digest
    here.build("FROM busybox\nENV A=1")
    other = here.push(target=TARGET.with_tag("2")).digest
    with pytest.raises(TagImmutable, match=f"names {standing} .* cannot be moved to {other} ") as caught:
        here.push()
    assert (caught.value.standing, caught.value.wanted) == (standing, other)


def test_a_refused_token_is_renewed_once(here: Here) -> None:
    """One renewal, then success, whatever the clock says of the token."""
    create_repository(here.ecr, "xfra-wait")
    here.session.token()
    here.world.valid_passwords.clear()
    assert here.push().changed
    assert here.world.tokens_issued == 2


def test_a_token_that_stays_refused_is_an_error_after_one_renewal(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no renewal loop."""
    create_repository(here.ecr, "xfra-wait")
    monkeypatch.setattr(here.world, "valid_passwords", frozenset())
    monkeypatch.setattr(FakeEcr, "authorization_token", _refused_token(here))
    with pytest.raises(AuthorizationError):
        here.push()
    assert here.world.tokens_issued == 2


def test_a_step_renews_the_token_once_however_often_it_is_refused(here: Here) -> None:
    """What was refused, renewed and refused again in one step is a refusal; the next step may renew again."""
    step = here.session.for_step()

    def refuse_first(token: object) -> str:
        asked.append(token)
        if len(asked) % 2:
            raise AuthorizationError("refused")
        return "done"

    asked: list[object] = []
    assert step.use(refuse_first) == "done"
    with pytest.raises(AuthorizationError):
        step.use(refuse_first)
    assert here.world.tokens_issued == 2
    asked.clear()
    assert here.session.for_step().use(refuse_first) == "done"
    assert here.world.tokens_issued == 3


def test_a_push_that_failed_for_the_moment_is_made_again_after_a_pause(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three such failures are no failure of the step but told in its outcome, each after a longer pause; four are one."""
    create_repository(here.ecr, "xfra-wait")
    push = FakeEngine.push
    failures = [PushError("EOF", retryable=True)] * 3

    def break_first(self: FakeEngine, *args: Any, **more: Any) -> str | None:
        if failures:
            raise failures.pop()
        return push(self, *args, **more)

    monkeypatch.setattr(FakeEngine, "push", break_first)
    began = here.world.now
    outcome = here.push()
    assert outcome.changed
    assert outcome.repeated == tuple(f"push: once more after {pause} s, since EOF" for pause in (1, 2, 4))
    assert here.world.now - began == timedelta(seconds=7)
    here.build("FROM busybox\nENV A=1")
    failures.extend([PushError("EOF", retryable=True)] * 4)
    with pytest.raises(PushError, match="EOF"):
        here.push()
    assert not failures


def test_a_push_that_cannot_succeed_is_not_made_again(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what may pass is tried twice."""
    create_repository(here.ecr, "xfra-wait")
    pushes = []

    def refuse(*_: object, **__: object) -> str:
        pushes.append(1)
        raise PushError("manifest invalid")

    monkeypatch.setattr(FakeEngine, "push", refuse)
    with pytest.raises(PushError, match="invalid"):
        here.push()
    assert pushes == [1]


def test_a_registry_that_refuses_the_same_image_again_has_it_already(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An immutable tag that names the local image is a success, also where the engine does not know that it was pushed."""
    create_repository(here.ecr, "xfra-wait", tags_immutable=True)
    standing = here.push().digest
    here.world.pushed.clear()

    def refuse(*_: object, **__: object) -> str:
        raise TagImmutable("tag is immutable", standing="", wanted=None)

    monkeypatch.setattr(FakeEngine, "push", refuse)
    outcome = here.push()
    assert (outcome.digest, outcome.changed) == (standing, False)
    here.build("FROM busybox\nENV A=1")
    with pytest.raises(TagImmutable, match=standing):
        here.push()


def _refused_token(here: Here):
    issue = FakeEcr.authorization_token

    def token(self: FakeEcr):
        here.world.valid_passwords = set()
        issued = issue(self)
        here.world.valid_passwords = set()
        return issued

    return token


def test_a_registry_that_serves_another_digest_is_no_success(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine claims counts only when the registry says the same."""
    create_repository(here.ecr, "xfra-wait")
    monkeypatch.setattr(FakeEngine, "push", lambda *_, **__: digest_of("something else"))
    with pytest.raises(PushError, match="serves nothing"):
        here.push()


def test_a_push_needs_a_tag_and_a_local_image(here: Here) -> None:
    """Both are said before anything is sent."""
    with pytest.raises(PushError, match="no tag"):
        here.push(target=ImageReference.parse(f"{REGISTRY}/xfra-wait"))
    with pytest.raises(ImageNotFound, match="nothing-built"):
        here.push(source="nothing-built")


def test_a_pull_pins_what_it_got(here: Here) -> None:
    """The pulled image is named by digest, and pulling it again changes nothing."""
    create_repository(here.ecr, "xfra-wait")
    pushed = here.push()
    del here.world.local[str(TARGET)]
    first = pull_image(here.engine, here.registry, here.session, TARGET)
    again = pull_image(here.engine, here.registry, here.session, TARGET)
    assert (first.image, first.changed, again.changed) == (pushed.image, True, False)
