"""Create a Layer0 environment if it does not exist."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from ecr_widgets.errors import InputError
from ecr_widgets.model.layer0 import Environment, check_entity_name
from ecr_widgets.ports import ProgressSink
from ecr_widgets.steps.shared.outside import Outside
from ecr_widgets.steps.shared.reconcile import reconcile
from ecr_widgets.steps.step import NOT_YET, Step

OPERATING_SYSTEMS = ("linux", "windows")


@dataclass(frozen=True, slots=True)
class EnvironmentOutcome:
    """The environment that exists now."""

    environment_id: str
    environment: str
    changed: bool


@dataclass(frozen=True)
class CreateEnvironment(Step[Environment | None, EnvironmentOutcome]):
    """Create the environment if it does not exist; an existing one is left as it is.

    Args:
        instance_size: EC2 instance type.

        min_count: Minimum number of instances.

        max_count: Maximum number of instances; 0 means `min_count`.

        operating_system: `linux` or `windows`.

        ami_id: Image of the instances; empty for the server's own.

        user_data: Go template of what an instance runs when it starts; empty for the server's own.

    Raises:
        InputError: A count or the operating system makes no sense.

        OutcomeUnknown: The reply was lost, and no environment of that name showed up.
    """

    asks: ClassVar = ("Layer0: POST /environment/",)

    environment: str
    _: KW_ONLY
    instance_size: str = "m3.medium"
    min_count: int = 0
    max_count: int = 0
    operating_system: str = "linux"
    ami_id: str = ""
    user_data: bytes = b""

    def inputs(self, outside: Outside) -> dict[str, Any]:
        inputs = super().inputs(outside)
        # It may hold secrets; its size is enough.
        return inputs | {"user_data_bytes": len(inputs.pop("user_data"))}

    def look(self, outside: Outside, progress: ProgressSink) -> Environment | None:
        check_entity_name(self.environment, kind="environment")
        if not self.min_count >= 0 or (self.max_count and self.max_count < self.min_count):
            raise InputError(
                f"{self.min_count} to {self.max_count} instances refused",
                hint="give 0 or more, and a maximum that is not below the minimum",
            )
        if self.max_count and not self.min_count:
            raise InputError(
                f"0 to {self.max_count} instances refused: AWS does not accept a group that scales from a minimum of 0",
                hint="give a minimum of 1 or more, or no maximum",
            )
        if self.operating_system not in OPERATING_SYSTEMS:
            raise InputError(
                f"operating system {self.operating_system!r} refused",
                hint=f"use {' or '.join(OPERATING_SYSTEMS)}",
            )
        return outside.layer0_of(self.environment, "creating an environment").find_environment(
            self.environment
        )

    def plan(self, outside: Outside, found: Environment | None) -> EnvironmentOutcome:
        if found is not None:
            return EnvironmentOutcome(found.environment_id, found.name, changed=False)
        return EnvironmentOutcome(NOT_YET, self.environment, changed=True)

    def act(self, outside: Outside, found: Environment | None, progress: ProgressSink) -> EnvironmentOutcome:
        if found is not None:
            return EnvironmentOutcome(found.environment_id, found.name, changed=False)
        layer0 = outside.layer0
        made, _ = reconcile(
            outside.clock,
            lambda: layer0.create_environment(
                self.environment,
                instance_size=self.instance_size,
                min_count=self.min_count,
                max_count=self.max_count,
                operating_system=self.operating_system,
                ami_id=self.ami_id,
                user_data=self.user_data,
            ),
            lambda: layer0.find_environment(self.environment),
        )
        return EnvironmentOutcome(made.environment_id, self.environment, changed=True)
