"""ECS's raw JSON, sent and received through botocore: members that the installed botocore does not know are kept.

botocore finds the endpoint, signs, and reads errors. Its own models know only the members of their release: it refuses newer
ones in a request, and drops them from an answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore import xform_name

from ecr_widgets.errors import SettingsError

Wire = Mapping[str, Any]
"""A JSON object."""

_ASKED = "ecr-widgets"
_ANSWERED = "Body"


def keep_json(client: Any) -> None:
    """Have a client that does not validate parameters send and return raw JSON."""
    events = client.meta.events
    events.register("provide-client-params.ecs", _set_aside)
    events.register("before-call.ecs", _send)
    events.register("before-parse.ecs", _keep)


def ask(client: Any, action: str, members: Wire) -> Wire:
    """Call an action, such as `ecs:RunTask`, and return the JSON object of its answer.

    Raises:
        SettingsError: The installed botocore does not know the action.

        ValueError: The answer is not JSON.

        TypeError: The answer is not a JSON object.
    """
    call = getattr(client, xform_name(action.partition(":")[2]), None)
    if call is None:
        raise SettingsError(
            f"the installed botocore does not know {action}", hint="pip install --upgrade boto3"
        )
    answer = json.loads(call(**members)[_ANSWERED])
    if not isinstance(answer, dict):
        raise TypeError(f"{type(answer).__name__} instead of a JSON object")
    return answer


def _set_aside(params: Wire, context: dict[str, Any], **_: object) -> dict[str, Any]:
    context[_ASKED] = params
    return {}


def _send(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = json.dumps(context[_ASKED]).encode()


def _keep(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    if response_dict["status_code"] < 300:
        # Keep botocore from parsing it.
        customized_response_dict[_ANSWERED], response_dict["body"] = response_dict["body"], b"{}"
