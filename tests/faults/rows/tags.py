"""Part C on tokens and tags: tokens that are refused in mid push, tags that must not move, many pushes at once."""

from __future__ import annotations

import base64
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import boto3

from ecr_widgets.errors import AuthorizationError, TagImmutable
from tests.faults import forked
from tests.faults.books import BIN
from tests.faults.plan import Attempt, row
from tests.faults.proxies import Asked, Do, proxy
from tests.faults.pushing import Bench, bench, naive_push
from tests.unit.adapters.scripted import http

WRITERS = 8


def _at_once(at: Attempt, *, naive: bool = False) -> None:
    with bench(at) as made:
        here = replace(made, name=f"{made.name}-new")
        write = _write_naively if naive else _write
        count = WRITERS if at.full else WRITERS // 2
        with ThreadPoolExecutor(count) as writers:
            said = list(writers.map(lambda number: write(at, here, f"t{number}"), range(count)))
        for number, digest in enumerate(said):
            here.check(digest, f"t{number}")


def _write(at: Attempt, here: Bench, tag: str) -> str:
    """A process that creates the repository where it is missing, and pushes."""
    done = forked.run(
        [BIN / "ecr-widgets", "push", here.image_id, here.name, tag, "--create", "--json"],
        env=dict(os.environ) | {"XDG_STATE_HOME": str(at.folder / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"writer of {tag}: {done.stderr[-500:]}"
    return str(json.loads(done.stdout)["digest"])


def _write_naively(_: Attempt, here: Bench, tag: str) -> str:
    """As scripts do it: what is missing is created, and so it was by another a moment ago."""
    client = boto3.Session().client("ecr")
    try:
        client.create_repository(repositoryName=here.name)
    except client.exceptions.RepositoryAlreadyExistsException as error:
        raise AssertionError(f"writer of {tag}: {error}") from error
    return naive_push(here, here.host, tag)


@row(
    32,
    f"{WRITERS} processes create one repository and push the same image to new tags of it, all at once",
    tries=20,
    quick=1,
    control=lambda at: _at_once(at, naive=True),
)
def at_once(at: Attempt) -> None:
    """Each succeeds, and the registry serves what each says."""
    _at_once(at)


REFUSED_TAG = {
    "errors": [{"code": "TAG_INVALID", "message": "The image tag '1' cannot be overwritten: immutable"}]
}


def _immutable(at: Attempt, *, naive: bool = False) -> None:
    kind = ("known", "foreign", "lost", "copied", "other")[at.seed % 5]
    with bench(at, immutable=True) as here:

        def behave(asked: Asked) -> Do | bytes:
            """As AWS does: whatever stands under the tag, it is not put again."""
            if asked.method != "PUT" or not asked.target.endswith("/manifests/1"):
                return Do.PASS
            if here.registry.find_digest(here.target(here.host), here.session.token()) is not None:
                return http(400, json.dumps(REFUSED_TAG).encode())
            return Do.LOST_REPLY if kind in ("lost", "copied") else Do.PASS

        if naive:
            kind = "known"
        if kind == "copied":
            here.seed()
        with proxy(here.host, behave) as there:
            if naive:
                # The same image once more, and the stream that says what became of it is not read.
                for _ in range(2):
                    here.check(naive_push(here, there.host))
                return
            if kind == "other":
                with bench(at) as other:
                    standing = other.push_as(here.target(here.host)).digest
                    _other(here, there.host, standing, other.image_id)
                return
            if kind == "known":
                here.push(there.host)
            elif kind == "foreign":
                here.push(here.host)
            before = len([each for each in there.asked if each.method == "PUT"])
            outcome = here.copy(here.host, there.host) if kind == "copied" else here.push(there.host)
            here.check(outcome.digest)
            assert outcome.changed == (kind in ("lost", "copied")), kind
            if kind == "known":
                assert len([each for each in there.asked if each.method == "PUT"]) == before, "sent again"


def _other(here: Bench, host: str, standing: str, standing_id: str) -> None:
    try:
        here.push(host)
    except TagImmutable as error:
        told, shown = (error.standing, error.wanted), str(error)
    else:
        raise AssertionError("another image was called a success")
    assert told == (standing, None), told
    assert f"{standing} (image id {standing_id})" in shown, shown
    assert here.image_id in shown, shown
    served = here.registry.find_image_id(here.target(here.host), here.session.token())
    assert served == standing_id, "the tag was moved"


@row(
    33,
    "a tag that must not move: the same image again, also unknown to the engine or after a lost reply; another image",
    tries=100,
    quick=5,
    control=lambda at: _immutable(at, naive=True),
)
def immutable(at: Attempt) -> None:
    """The same is done already; another is refused, with both image ids in the message."""
    _immutable(at)


REFUSALS = (
    http(401, json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "Not Authorized"}]}).encode()),
    http(
        403,
        json.dumps(
            {"errors": [{"code": "DENIED", "message": "Your authorization token has expired."}]}
        ).encode(),
    ),
    http(403, b"Your authorization token has expired. Reauthenticate and try again.", label="text/plain"),
    http(403, b"<html>403 Forbidden</html>", label="text/html"),
    http(403, b"", label="text/plain"),
)


def _expired(at: Attempt, *, naive: bool = False) -> None:
    kind = ("before", "mid", "never good", "twice")[at.seed % 4]
    refusal = at.rng.choice(REFUSALS)
    moments = {"before": {1}, "never good": {1}, "mid": {at.rng.randrange(1, 15)}}
    ends = moments.get(kind, {at.rng.randrange(1, 4), at.rng.randrange(4, 17)})
    revoked: set[str] = set()
    numbers = count(1)

    def behave(asked: Asked) -> Do | bytes:
        coded = asked.headers.get("authorization", "").removeprefix("Basic ")
        password = base64.b64decode(coded).decode().partition(":")[2]
        if not password:
            # The engine's first knock; it sends the token when it is asked for it.
            return Do.PASS
        if next(numbers) in ends or kind == "never good":
            revoked.add(password)
        return refusal if password in revoked else Do.PASS

    with bench(at) as here, proxy(here.host, behave) as there:
        here.session.token()
        copied = at.rng.random() < 0.3 and not naive
        if copied:
            here.seed()
        if naive:
            kind = "never good"
            here.check(naive_push(here, there.host))
            return
        before = len(here.issued)
        refused = None
        try:
            outcome = here.copy(here.host, there.host) if copied else here.push(there.host)
        except AuthorizationError as error:
            refused = error
        else:
            here.check(outcome.digest)
        assert kind in ("never good", "twice") if refused else kind != "never good", f"{kind}: {refused}"
        assert len(here.issued) - before <= 1, f"{len(here.issued) - before} new tokens in one push"


@row(
    34,
    "the token is refused before or in mid push, once, twice or always, by JSON, text, HTML or nothing",
    tries=100,
    quick=4,
    control=lambda at: _expired(at, naive=True),
)
def expired(at: Attempt) -> None:
    """One new token, then success; never a second one, and a refusal that stays is told as one."""
    _expired(at)
