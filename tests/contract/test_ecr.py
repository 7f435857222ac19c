"""One set of cases for ECR's control plane: in memory and in the sandbox."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ecr_widgets.errors import ImageNotFound, RegistryError, RepositoryNotFound, TagImmutable
from ecr_widgets.model.encryption import Encryption
from ecr_widgets.model.tag_rule import TagRule
from ecr_widgets.steps.shared.lifecycle_policy import simple_lifecycle_policy
from tests.contract.conftest import Ports

KEY_ID = "0f1e2d3c-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:eu-west-1:444333222111:key/{KEY_ID}"


def test_the_identity_names_an_account_and_an_arn(ports: Ports) -> None:
    """The identity has a twelve-digit account id as text, and an ARN."""
    identity = ports.ecr.identity()
    assert len(identity.account) == 12
    assert identity.account.isdigit()
    assert identity.arn.startswith("arn:aws:")


def test_a_token_is_for_the_accounts_registry_and_fresh(ports: Ports) -> None:
    """A new token is for user AWS, is fresh now, and is no longer fresh when it expires."""
    token, now = ports.ecr.authorization_token(), ports.clock.now()
    assert (token.user, bool(token.password)) == ("AWS", True)
    assert token.is_fresh_at(now)
    assert token.expires_at > now
    assert not token.is_fresh_at(token.expires_at)


def test_a_repository_is_created_once(ports: Ports) -> None:
    """A repository is created once; a second call finds it with the settings of the first and says so."""
    name = "contract/created"
    assert ports.ecr.find_repository(name) is None
    first, made = ports.ecr.create_repository(name, tags_immutable=True, scan_on_push=True)
    second, made_again = ports.ecr.create_repository(name, tags_immutable=False, scan_on_push=False)
    assert (made, made_again) == (True, False)
    assert first == second == ports.ecr.find_repository(name)
    assert (second.tags_immutable, second.scan_on_push) == (True, True)
    assert second.uri.endswith("/" + name)


def test_without_a_template_no_push_creates_a_repository(ports: Ports) -> None:
    """An account without templates for new repositories has none created by a push."""
    assert not ports.ecr.creates_on_push("contract/nobody")


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("none", None, "AES256"),
        ("aes256", Encryption("AES256"), "AES256"),
        ("own", Encryption("KMS"), "KMS with key arn:aws:kms:us-east-1:111222333444:key/"),
        ("alias", Encryption("KMS", "alias/team"), "KMS with key arn:aws:kms:us-east-1:111222333444:key/"),
        ("id", Encryption("KMS", KEY_ID), f"KMS with key arn:aws:kms:us-east-1:111222333444:key/{KEY_ID}"),
        ("arn", Encryption("KMS", KEY), f"KMS with key {KEY}"),
    ],
)
def test_an_encryption_is_chosen_at_creation(
    ports: Ports, name: str, asked: Encryption | None, told: str
) -> None:
    """An encryption is set at creation, its key is reported by ARN, and a second call with another one changes nothing."""
    name, other = f"contract/encryption-{name}", Encryption("KMS", "alias/other")
    made, _ = ports.ecr.create_repository(name, tags_immutable=False, scan_on_push=False, encryption=asked)
    again, _ = ports.ecr.create_repository(name, tags_immutable=False, scan_on_push=False, encryption=other)
    assert made == again == ports.ecr.find_repository(name)
    assert str(Encryption(made.encryption, made.kms_key)).startswith(told)


def test_an_image_is_found_by_tag_and_by_digest(ports: Ports, context: Path) -> None:
    """An image is found by tag and by digest, and an unknown tag finds none."""
    image = ports.pushed("contract/found", context)
    assert image.digest is not None
    by_tag, by_digest = (ports.ecr.find_image("contract/found", each) for each in ("1", image.digest))
    assert by_tag == by_digest
    assert by_tag is not None
    assert (by_tag.digest, by_tag.tags) == (image.digest, ("1",))
    assert ports.ecr.find_image("contract/found", "nobody") is None


def test_an_image_in_no_repository_is_told_from_a_missing_one(ports: Ports) -> None:
    """Looking for an image in a missing repository is an error."""
    with pytest.raises(RepositoryNotFound):
        ports.ecr.find_image("contract/nobody", "1")


def test_repositories_and_images_are_listed(ports: Ports, context: Path) -> None:
    """Listed repositories and images have the same values as those found by name; a missing repository is an error."""
    image = ports.pushed("contract/listed", context)
    found = {each.name: each for each in ports.ecr.list_repositories()}
    assert found["contract/listed"] == ports.ecr.find_repository("contract/listed")
    listed = [each for page in ports.ecr.list_images("contract/listed") for each in page]
    assert listed == [ports.ecr.find_image("contract/listed", image.digest or "")]
    with pytest.raises(RepositoryNotFound):
        list(ports.ecr.list_images("contract/nobody"))


def test_settings_are_changed_one_by_one(ports: Ports) -> None:
    """Settings that are not given stay unchanged; a missing repository is an error."""
    name = "contract/settings"
    ports.ecr.create_repository(name, tags_immutable=False, scan_on_push=True)
    ports.ecr.change_repository(name, tag_rule=TagRule(immutable=True))
    found = ports.ecr.find_repository(name)
    assert found is not None
    assert (found.tags_immutable, found.scan_on_push) == (True, True)
    ports.ecr.change_repository(name, scan_on_push=False)
    found = ports.ecr.find_repository(name)
    assert found is not None
    assert (found.tags_immutable, found.scan_on_push) == (True, False)
    with pytest.raises(RepositoryNotFound):
        ports.ecr.change_repository("contract/nobody", tag_rule=TagRule(immutable=True))


def test_the_rule_for_tags_has_exceptions(ports: Ports) -> None:
    """The tag rule can have exceptions, at creation and later, and a change of another setting keeps them."""
    name = "contract/excepted"
    made, _ = ports.ecr.create_repository(
        name, tags_immutable=True, scan_on_push=False, tag_exceptions=("dev-*", "test-*")
    )
    assert made.tag_rule == TagRule(immutable=True, exceptions=("dev-*", "test-*"))
    ports.ecr.change_repository(name, scan_on_push=True)
    assert ports.ecr.find_repository(name) == replace(made, scan_on_push=True)
    for rule in (TagRule(immutable=False, exceptions=("v*",)), TagRule(immutable=True)):
        ports.ecr.change_repository(name, tag_rule=rule)
        found = ports.ecr.find_repository(name)
        assert found is not None
        assert found.tag_rule == rule


def test_a_lifecycle_policy_is_kept(ports: Ports) -> None:
    """A lifecycle policy is absent until it is set, and is then read as it was set."""
    name = "contract/lifecycle"
    ports.ecr.create_repository(name, tags_immutable=False, scan_on_push=False)
    assert ports.ecr.find_lifecycle_policy(name) is None
    policy = simple_lifecycle_policy(untagged_days=7, keep_newest=50)
    assert policy is not None
    ports.ecr.set_lifecycle_policy(name, policy)
    assert json.loads(ports.ecr.find_lifecycle_policy(name) or "") == json.loads(policy)
    with pytest.raises(RepositoryNotFound):
        ports.ecr.set_lifecycle_policy("contract/nobody", policy)


def test_an_image_gets_another_tag_without_a_pull(ports: Ports, context: Path) -> None:
    """An image can be tagged again, twice with the same tag; an unknown digest or an immutable tag is an error."""
    image = ports.pushed("contract/tagged", context)
    assert image.digest is not None
    for _ in range(2):
        ports.ecr.tag_image("contract/tagged", image.digest, "other")
    found = ports.ecr.find_image("contract/tagged", "other")
    assert found is not None
    assert (found.digest, set(found.tags)) == (image.digest, {"1", "other"})
    with pytest.raises(ImageNotFound):
        ports.ecr.tag_image("contract/tagged", "sha256:" + "0" * 64, "1")
    (context / "Dockerfile").write_text((context / "Dockerfile").read_text() + "LABEL second=1\n")
    second = ports.pushed("contract/tagged", context, tag="2")
    ports.ecr.change_repository("contract/tagged", tag_rule=TagRule(immutable=True))
    with pytest.raises(TagImmutable):
        ports.ecr.tag_image("contract/tagged", second.digest or "", "1")


def test_images_are_deleted_with_all_their_tags(ports: Ports, context: Path) -> None:
    """An image is deleted with all its tags, and deleting a missing one is no failure."""
    image = ports.pushed("contract/deleted", context)
    assert image.digest is not None
    ports.ecr.tag_image("contract/deleted", image.digest, "other")
    assert ports.ecr.delete_images("contract/deleted", [image.digest, "sha256:" + "0" * 64]) == {}
    assert [each for page in ports.ecr.list_images("contract/deleted") for each in page] == []
    assert ports.ecr.delete_images("contract/deleted", [image.digest]) == {}


def test_a_repository_goes_with_its_images_only_where_that_was_allowed(ports: Ports, context: Path) -> None:
    """A repository with images is deleted only if that is allowed, and a missing one is an error."""
    ports.pushed("contract/gone", context)
    with pytest.raises(RegistryError):
        ports.ecr.delete_repository("contract/gone", with_images=False)
    ports.ecr.delete_repository("contract/gone", with_images=True)
    assert ports.ecr.find_repository("contract/gone") is None
    with pytest.raises(RepositoryNotFound):
        ports.ecr.delete_repository("contract/gone", with_images=True)


def test_an_image_that_was_never_scanned_has_no_findings(ports: Ports, context: Path) -> None:
    """An image that was never scanned has None as findings, not zero findings."""
    image = ports.pushed("contract/unscanned", context)
    assert ports.ecr.find_findings("contract/unscanned", image.digest or "") is None


def test_a_policy_is_previewed_before_it_is_set(ports: Ports, context: Path) -> None:
    """A policy preview names the images that would expire and the rule, and sets and deletes nothing."""
    name = "contract/preview"
    for number in (1, 2):
        (context / "Dockerfile").write_text(f"FROM busybox\nLABEL preview={number}\n")
        ports.pushed(name, context, tag=f"{number}")
        ports.clock.sleep(0.01)
    policy = simple_lifecycle_policy(keep_newest=1)
    assert policy is not None
    (expiry,) = ports.ecr.preview_lifecycle_policy(name, policy)
    older = ports.ecr.find_image(name, "1")
    assert older is not None
    assert (expiry.digest, expiry.tags, expiry.rule) == (older.digest, ("1",), 2)
    assert ports.ecr.find_lifecycle_policy(name) is None
    with pytest.raises(RepositoryNotFound):
        ports.ecr.preview_lifecycle_policy("contract/nobody", policy)
