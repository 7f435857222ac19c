"""One set of cases for ECR's control plane: in memory and the sandbox's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecr_widgets.errors import RepositoryNotFound
from tests.contract.conftest import Ports


def test_the_identity_names_an_account_and_an_arn(ports: Ports) -> None:
    """Account ids are twelve digits, kept as text."""
    identity = ports.ecr.identity()
    assert len(identity.account) == 12
    assert identity.account.isdigit()
    assert identity.arn.startswith("arn:aws:")


def test_a_token_is_for_the_accounts_registry_and_fresh(ports: Ports) -> None:
    """What was just issued is good now and not for ever."""
    token, now = ports.ecr.authorization_token(), ports.clock.now()
    assert (token.user, bool(token.password)) == ("AWS", True)
    assert token.is_fresh_at(now)
    assert token.expires_at > now
    assert not token.is_fresh_at(token.expires_at)


def test_a_repository_is_created_once(ports: Ports) -> None:
    """The second call finds what the first made, with its settings, and says so."""
    name = "contract/created"
    assert ports.ecr.find_repository(name) is None
    first, made = ports.ecr.create_repository(name, tags_immutable=True, scan_on_push=True)
    second, made_again = ports.ecr.create_repository(name, tags_immutable=False, scan_on_push=False)
    assert (made, made_again) == (True, False)
    assert first == second == ports.ecr.find_repository(name)
    assert (second.tags_immutable, second.scan_on_push) == (True, True)
    assert second.uri.endswith("/" + name)


def test_an_image_is_found_by_tag_and_by_digest(ports: Ports, context: Path) -> None:
    """Both name the same image; a tag that nobody pushed names none."""
    image = ports.pushed("contract/found", context)
    assert image.digest is not None
    by_tag, by_digest = (ports.ecr.find_image("contract/found", each) for each in ("1", image.digest))
    assert by_tag == by_digest
    assert by_tag is not None
    assert (by_tag.digest, by_tag.tags) == (image.digest, ("1",))
    assert ports.ecr.find_image("contract/found", "nobody") is None


def test_an_image_in_no_repository_is_told_from_a_missing_one(ports: Ports) -> None:
    """A wrong repository is an error, not an absence."""
    with pytest.raises(RepositoryNotFound):
        ports.ecr.find_image("contract/nobody", "1")


def test_repositories_and_images_are_listed(ports: Ports, context: Path) -> None:
    """Each of them, with the same values as when it is asked for by name; a missing repository is an error."""
    image = ports.pushed("contract/listed", context)
    found = {each.name: each for each in ports.ecr.list_repositories()}
    assert found["contract/listed"] == ports.ecr.find_repository("contract/listed")
    listed = [each for page in ports.ecr.list_images("contract/listed") for each in page]
    assert listed == [ports.ecr.find_image("contract/listed", image.digest or "")]
    with pytest.raises(RepositoryNotFound):
        list(ports.ecr.list_images("contract/nobody"))
