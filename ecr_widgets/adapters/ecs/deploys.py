"""Task definitions: a deploy is one revision of a family, and its id is `family:revision`."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import islice

from ecr_widgets.adapters.ecs.calls import Calls
from ecr_widgets.adapters.ecs.decode import decoded, last_part
from ecr_widgets.adapters.ecs.wire import Wire
from ecr_widgets.errors import EntityNotFound, InputError
from ecr_widgets.model.services import Deploy, DeployLimits

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}:[1-9][0-9]*", re.ASCII)
_PAGE = 100
_PAGES_OF_ONE = 10
"""So at most the newest thousand revisions of one family are listed."""
_OF_EACH = 20
"""If all families are listed, this many of each one's newest revisions: an account may have a hundred thousand, and each takes
a call to read. Older ones in use are known from their service or task."""
_AT_ONCE = 4


class Deploys(Calls):
    """Implements the stored deploys of `ports.services.Services`."""

    @cached_property
    def _definitions(self) -> dict[str, Wire]:
        """Task definitions that were read, by id: a revision never changes, except for its status."""
        return {}

    def list_deploys(self, name: str) -> tuple[Deploy, ...]:
        return tuple(reversed(self._newest(name, _PAGE * _PAGES_OF_ONE)))

    def list_all_deploys(self) -> tuple[Deploy, ...]:
        families = list(
            self._listed("ecs:ListTaskDefinitionFamilies", "families", status="ACTIVE", maxResults=_PAGE)
        )
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(lambda each: self._newest(each, _OF_EACH), families)
            return tuple(
                sorted((one for some in found for one in some), key=lambda each: (each.name, each.version))
            )

    def deploy_limits(self) -> DeployLimits | None:
        return DeployLimits(of_each=_OF_EACH, of_one=_PAGE * _PAGES_OF_ONE)

    def find_latest_deploy(self, name: str) -> Deploy | None:
        return next(iter(self._newest(name, 1)), None)

    def read_deploy(self, deploy_id: str) -> Deploy:
        if not _ID.fullmatch(deploy_id):
            raise EntityNotFound(f"no task definition {deploy_id!r}", hint="its id is FAMILY:REVISION")
        answer = self._read("ecs:DescribeTaskDefinition", taskDefinition=deploy_id, include=["TAGS"])
        found = _deploy(answer)
        self._definitions[found.deploy_id] = answer["taskDefinition"]
        return found

    def create_deploy(self, name: str, dockerrun: bytes) -> Deploy:
        try:
            document = json.loads(dockerrun)
        except ValueError as error:
            raise InputError(f"the task definition is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise InputError("the task definition is not a JSON object")
        return self._changed("ecs:RegisterTaskDefinition", _deploy, **{**document, "family": name})

    def delete_deploy(self, deploy_id: str) -> None:
        self._change("ecs:DeregisterTaskDefinition", taskDefinition=self.read_deploy(deploy_id).deploy_id)

    def _newest(self, family: str, most: int) -> list[Deploy]:
        """Active revisions of exactly that family, newest first; a page may be shorter than requested."""
        arns = self._listed(
            "ecs:ListTaskDefinitions",
            "taskDefinitionArns",
            pages=_PAGES_OF_ONE,
            familyPrefix=family,
            status="ACTIVE",
            sort="DESC",
            maxResults=min(most, _PAGE),
        )
        return list(islice((each for each in map(_listed_deploy, arns) if each.name == family), most))

    def _definition(self, deploy_id: str) -> Wire:
        """A deploy's document; empty if it no longer exists."""
        if deploy_id not in self._definitions:
            try:
                self.read_deploy(deploy_id)
            except EntityNotFound:
                self._definitions[deploy_id] = {}
        return self._definitions[deploy_id]


@decoded
def _listed_deploy(arn: str) -> Deploy:
    deploy_id = last_part(arn)
    family, _, revision = deploy_id.rpartition(":")
    return Deploy(deploy_id, family, int(revision))


@decoded
def _deploy(answer: Wire) -> Deploy:
    """A deploy with everything that ECS reports, which is more than what was registered."""
    raw = answer["taskDefinition"]
    document = {**raw, "tags": answer["tags"]} if answer.get("tags") else raw
    return Deploy(
        last_part(raw["taskDefinitionArn"]),
        raw["family"],
        int(raw["revision"]),
        json.dumps(document).encode(),
        is_active=raw.get("status", "ACTIVE") == "ACTIVE",
    )
