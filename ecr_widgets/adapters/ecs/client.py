"""Amazon ECS through boto3, which reads profile, region and endpoint from the standard places."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ecr_widgets.adapters.aws_session import AwsSession
from ecr_widgets.adapters.ecs.deployments import Deployments
from ecr_widgets.adapters.ecs.images import ResolvedImages
from ecr_widgets.adapters.ecs.logs import Logs
from ecr_widgets.adapters.ecs.room import Room
from ecr_widgets.adapters.ecs.settings import ServiceSettings
from ecr_widgets.adapters.ecs.tasks import Tasks
from ecr_widgets.ports import Clock

if TYPE_CHECKING:
    import boto3


class BotoEcs(Deployments, ServiceSettings, ResolvedImages, Room, Tasks, Logs):
    """Implements `ports.services.Services`; session and clients are made at first use.

    Args:
        clock: Used to wait before a throttled change is requested again.

        session: An existing session; None to make one.

        profile: AWS profile; None for the one that the environment names.

        region: AWS region; None for the profile's own.

        on_secret: Called with the secret parts of the identity before they are first used.
    """

    def __init__(
        self,
        clock: Clock,
        session: boto3.Session | None = None,
        *,
        profile: str | None = None,
        region: str | None = None,
        on_secret: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(AwsSession(session, profile=profile, region=region, on_secret=on_secret), clock)
