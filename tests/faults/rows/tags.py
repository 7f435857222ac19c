"""Part C on tokens and tags: tokens that are refused in mid push, tags that must not move, many pushes at once."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from itertools import count

from ecr_widgets.errors import AuthorizationError, TagImmutable
from tests.faults.books import BIN
from tests.faults.plan import Attempt, row
from tests.faults.proxies import Asked, Do, proxy
from tests.faults.pushing import Bench, bench, naive_push
from tests.unit.adapters.scripted import http

WRITERS = 8


def _at_once(at: Attempt, *, naive: bool = False) -> None:
    with bench(at) as here:
        if naive:
            # No look at what is served: other images under the same tag, and each writer believes its own digest.
            digests = []
            for _ in range(2):
                with bench(at) as other:
                    mine = Bench(**{**vars(here), "image_id": other.image_id})
                    digests.append((mine, naive_push(mine, here.host)))
            for writer, digest in digests:
                writer.check(digest)
            return
        environ = dict(os.environ) | {"XDG_STATE_HOME": str(at.folder / "state")}
        writers = [
            subprocess.Popen(
                [BIN / "ecr-widgets", "push", here.image_id, here.name, f"t{number}", "--json"],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(WRITERS)
        ]
        said = [(each.communicate(), each.returncode) for each in writers]
        for number, ((told, talk), code) in enumerate(said):
            assert code == 0, f"writer {number}: {talk[-500:]}"
            here.check(json.loads(told)["digest"], f"t{number}")


@row(
    32,
    f"{WRITERS} processes push the same image to new tags of one new repository at once",
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

        if kind == "copied" and not naive:
            here.seed()
        with proxy(here.host, behave) as there:
            if naive or kind == "other":
                with bench(at) as other:
                    standing = other.push_as(here.target(here.host)).digest
                    _other(here, there.host, standing, other.image_id, naive=naive)
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


def _other(here: Bench, host: str, standing: str, standing_id: str, *, naive: bool) -> None:
    if naive:
        here.check(naive_push(here, host))
        return
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
    quick=6,
    control=lambda at: _expired(at, naive=True),
)
def expired(at: Attempt) -> None:
    """One new token, then success; never a second one, and a refusal that stays is told as one."""
    _expired(at)
