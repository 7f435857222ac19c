"""Row 76: Dockerruns of which Layer0 would drop a part without a word, or ECS refuse it after the push."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ecr_widgets.errors import InvalidDockerrun
from ecr_widgets.sandbox.layer0.api_errors import ApiError
from ecr_widgets.sandbox.layer0.dockerrun import parse
from ecr_widgets.sandbox.layer0.render import render
from tests.fakes import World
from tests.fakes.connections import FakeConnections, make_kit
from tests.faults.plan import batch

_WHOLE: dict[str, Any] = {
    "environment": [{"name": "MODE", "value": "prod"}],
    "portMappings": [{"containerPort": 80, "hostPort": 8080, "protocol": "tcp"}],
    "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
    "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "1m"}},
    "healthCheck": {"command": ["CMD", "true"], "interval": 10},
    "linuxParameters": {"initProcessEnabled": True},
    "dockerLabels": {"team": "ops"},
    "command": ["serve"],
    "user": "app",
}
_NOBODY = (
    {"links": ["db"]},
    {"dependsOn": [{"containerName": "db", "condition": "START"}]},
    {"volumesFrom": [{"sourceContainer": "db"}]},
)


def _misspelled(chance: random.Random) -> tuple[dict[str, Any], str]:
    """A container with one member, at any depth, spelled wrong."""
    container = json.loads(json.dumps({"name": "web", "image": "x", "memory": 16} | _WHOLE))
    member = chance.choice(sorted(_WHOLE))
    holder, key = container, member
    inner = container[member][0] if isinstance(container[member], list) else container[member]
    if isinstance(inner, dict) and member != "dockerLabels" and chance.random() < 0.5:
        holder, key = inner, chance.choice(sorted(inner))
    at = chance.randrange(len(key))
    wrong = chance.choice((key[:at] + key[at + 1 :], key[:at] + "q" + key[at:], key + "s"))
    holder[wrong] = holder.pop(key)
    return container, wrong


def _is_lost(content: bytes, member: str) -> bool:
    """Whether Layer0 takes the document, and stores it without that member."""
    try:
        stored = render("web", parse(base64.b64encode(content).decode(), "web"))
    except ApiError:
        return False
    return member.casefold() not in stored.decode().casefold()


@batch(76, "Dockerruns with a misspelled member, or a container that is not there", tries=2000, quick=200)
def dropped_members(tries: int, seed: int) -> tuple[int, int, str]:
    """Refused by the check before anything is changed, with the place of what is wrong."""
    chance, wrong, sensed = random.Random(seed), [], 0
    with TemporaryDirectory(prefix="ft-") as folder:
        path = Path(folder) / "web.json"
        kit = make_kit(FakeConnections(World()), Path(folder))
        for number in range(tries):
            container, member = _misspelled(chance)
            if number % 4 == 0:
                container = {"name": "web", "image": "x", "memory": 16} | chance.choice(_NOBODY)
                member = "containerDefinitions/0"
            document = {"containerDefinitions": [container], "volumes": [{"name": "data"}]}
            content = json.dumps(document).encode()
            sensed += _is_lost(content, member)
            path.write_bytes(content)
            try:
                kit.check_target(dockerrun=path.name, container="web", deploy="web")
            except InvalidDockerrun as error:
                if member not in (error.pointer or "") and "no " not in error.why:
                    wrong.append(f"{member}: {error}")
            else:
                wrong.append(f"{member} taken")
    return (
        len(wrong),
        sensed,
        "; ".join([f"control: Layer0 takes and drops {sensed} of them", *wrong[:3]]),
    )
