"""Rows 122 and 123: a seal is attached while replies get lost, and of a run in which a secret is anywhere."""

from __future__ import annotations

import base64
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ecr_widgets.adapters.registry import OciRegistry
from ecr_widgets.audit.attaching import attach
from ecr_widgets.audit.attestation import read_bundle
from ecr_widgets.errors import RecordError
from ecr_widgets.secrets.redaction import SecretRegistry
from tests.audit.attested import Attested
from tests.audit.runs import change_record
from tests.contract.test_registry import docker_registry
from tests.faults.plan import CannotRunHere, batch
from tests.faults.proxies import Do, kth, proxy

_REQUESTS = 12
"""That attaching makes where the registry keeps no list; four of those put something."""

Counts = tuple[int, int, str]


@batch(
    122,
    "the reply to one request is lost while a seal is attached, each in turn, on a registry that keeps no list",
    tries=10 * _REQUESTS,
    quick=_REQUESTS,
)
def lost_replies(tries: int, seed: int) -> Counts:
    """It is attached once and listed once, and a second time nothing is put; the control does not ask again."""
    if shutil.which("docker-registry") is None:
        raise CannotRunHere("Docker's registry is not installed: apt-get install docker-registry")
    missed = blind = 0
    with tempfile.TemporaryDirectory(prefix="ft-") as made, docker_registry(Path(made)) as token:
        for number in range(2 * tries):
            here = Attested(OciRegistry(), token, Path(made, str(number)))
            naive = number % 2 == 1
            held = _attached_once(here, number // 2 % _REQUESTS + 1, asks_again=not naive)
            missed += not held and not naive
            blind += not held and naive
    return missed, blind, f"control: who asks once is told that it failed, {blind} of {tries}"


def _attached_once(here: Attested, lost: int, *, asks_again: bool) -> bool:
    image = here.image(f"{here.folder.name}")
    run = here.seal(image, f"run-{here.folder.name}")
    with proxy(here.token.registry, kth(lost, Do.LOST_REPLY)) as way:
        registry = OciRegistry()
        if not asks_again:
            registry._http.connection_pool_kw["retries"] = False
        there = Attested(registry, replace(here.token, registry=way.host), here.folder)
        there.resolve = lambda named: (replace(named, registry=way.host), there.token)  # type: ignore[method-assign]
        done = there.attach(run)
        assert len(way.asked) >= lost, "no reply was lost"
    found = here.evidence(image)
    (again,) = here.attach(run)
    return (
        [each.state for each in done] == ["attached"]
        and [each.run.run_id for each in found.proofs] == [run.seal.run_id]
        and len(here.registry.list_referrers(image, here.token).entries) == 1
        and again.state == "already attached"
    )


def _in_parameters(notebook: dict[str, Any], secret: str) -> None:
    notebook["metadata"]["ecr_widgets"]["parameters"]["note"] = secret


def _in_source(notebook: dict[str, Any], secret: str) -> None:
    notebook["cells"][-1]["source"] = f"password = {secret!r}"


def _in_output(notebook: dict[str, Any], secret: str) -> None:
    notebook["cells"][-1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": secret}]


def _in_reason(notebook: dict[str, Any], secret: str) -> None:
    notebook["metadata"]["ecr_widgets"]["reason"] = secret


def _in_host(notebook: dict[str, Any], secret: str) -> None:
    notebook["metadata"]["ecr_widgets"]["host"] = secret


def _in_record(notebook: dict[str, Any], secret: str) -> None:
    change_record(notebook, "push_image", inputs={"labels": secret}, outcome={"log": secret})


def _in_actor(notebook: dict[str, Any], secret: str) -> None:
    notebook["metadata"]["ecr_widgets"]["actor"] = secret


def _in_service(notebook: dict[str, Any], secret: str) -> None:
    change_record(notebook, "verify", inputs={"service": secret})


PLACES: tuple[Callable[[dict[str, Any], str], None], ...] = (
    _in_parameters, _in_source, _in_output, _in_reason, _in_host, _in_record, _in_actor, _in_service,
)  # fmt: skip
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: quote(secret, safe=""),
    lambda secret: f"https://user:{secret}@host/",
)


@batch(
    123,
    "a secret in a parameter, a cell, an output, a record or a name of a run that is attached, spelled in four ways",
    tries=320,
    quick=32,
)
def published_secret(tries: int, seed: int) -> Counts:
    """Nothing that is attached holds it, or nothing is attached and the reason is said; the control publishes the notebook."""
    chance, missed, blind = random.Random(seed), 0, 0
    for number in range(tries):
        secret = "".join(chance.choices("abcdefghkmnpqrstuvwxyz23456789/+", k=24))
        put, spell = PLACES[number % len(PLACES)], SPELLINGS[number // len(PLACES) % len(SPELLINGS)]
        known = SecretRegistry()
        known.register(secret)
        with tempfile.TemporaryDirectory(prefix="ft-") as made:
            here = Attested.in_memory(Path(made))
            image = here.image()
            run = here.seal(image, change=lambda notebook: put(notebook, spell(secret)))  # noqa: B023
            refused = False
            with suppress(RecordError):
                refused = True
                list(attach(run, here, holds_secret=lambda text: known.redact(text) != text))  # type: ignore[arg-type]  # noqa: B023
                refused = False
            entries = here.registry.list_referrers(image, here.token).entries
            statement = read_bundle(run.line).payload.decode()
            shown = json.dumps(spell(secret))[1:-1]
            missed += bool(entries) is refused or (shown in statement and not refused)
            blind += shown in (here.runs / "run-1.ipynb").read_text()
    return missed, blind, f"control: the saved notebook holds it, {blind} of {tries}"
