"""What to connect to, read once from the environment's standard variables and passed down as a value.

The variables and their meaning are those of the AWS SDKs, Docker and Layer0's own `l0` command. boto3 itself reads AWS_*,
since it knows profiles and SSO better than we do; `engine_address` reads those that name the engine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.bucket_path import Place, place_of
from ecr_widgets.model.paths import path_of

RUNS_VARIABLE = "ECR_WIDGETS_RUNS"
TARGETS_VARIABLE = "ECR_WIDGETS_TARGETS"
RETENTION_VARIABLE = "ECR_WIDGETS_RETENTION"
LEASE_VARIABLE = "ECR_WIDGETS_LEASE_S"
_LEASE_S = 60.0
_SHORTEST_LEASE_S = 5.0
POLICY_VARIABLE = "ECR_WIDGETS_POLICY"
"""Path of the gate's policy file."""
OVERRIDE_VARIABLE = "ECR_WIDGETS_OVERRIDE_GATE"
"""Why the policy is overridden now."""


@dataclass(frozen=True, slots=True)
class Layer0Settings:
    """Layer0's API endpoint and token; the token never shows in a repr."""

    endpoint: str
    authorization_token: str = field(repr=False)
    skip_ssl_verify: bool = False

    @property
    def address(self) -> str:
        """The endpoint in one spelling, as a part of names."""
        parts = urlsplit(self.endpoint.strip().lower())
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the kit needs to know before it connects."""

    runs: Place
    """Folder or bucket where runs are saved."""
    layer0_variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """As they were set: checked when Layer0 is first needed, since a login or a push does not need them."""
    targets: frozenset[str] = frozenset(("layer0", "ecs"))
    """The deploy targets that may use an image: `layer0`, `ecs`."""
    policy: Path | None = None
    """File that says what must be proven about an image before it runs; None for nothing."""
    override_gate: str = ""
    """Why the policy is overridden now; empty if it applies."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings.

        Raises:
            SettingsError: The targets or the place for runs cannot be used.
        """
        targets = environ.get(TARGETS_VARIABLE) or "layer0,ecs"
        named = frozenset(each.strip().lower() for each in targets.split(","))
        if not named <= {"layer0", "ecs"}:
            raise SettingsError(
                f"{TARGETS_VARIABLE} is {targets!r}", hint="give layer0, ecs, or both, with a comma"
            )
        variables = {name: value for name, value in environ.items() if name.startswith("LAYER0_")}
        return cls(
            runs=runs_of(environ),
            layer0_variables=variables,
            targets=named,
            policy=policy_path(environ),
            override_gate=environ.get(OVERRIDE_VARIABLE, "").strip(),
        )

    @property
    def layer0(self) -> Layer0Settings | None:
        """Layer0's endpoint and token; None if no variable names it.

        Raises:
            SettingsError: A variable is set and cannot be used.
        """
        return _layer0(self.layer0_variables)


def runs_of(environ: Mapping[str, str]) -> Place:
    """Where runs are saved unless the user names another place.

    Raises:
        SettingsError: The variable's bucket address cannot be read.
    """
    return place_of(environ.get(RUNS_VARIABLE) or "runs")


def lease_s(environ: Mapping[str, str] = os.environ) -> float:
    """How long a lease in a bucket lasts unless it is renewed, in seconds.

    Raises:
        SettingsError: Not a number, or so small that a slow answer would cost a run its target.
    """
    text = environ.get(LEASE_VARIABLE) or str(_LEASE_S)
    try:
        duration_s = float(text)
    except ValueError:
        duration_s = 0.0
    if not _SHORTEST_LEASE_S <= duration_s < float("inf"):
        raise SettingsError(
            f"{LEASE_VARIABLE} is {text!r}",
            hint=f"give seconds, {_SHORTEST_LEASE_S:g} or more, the same on all hosts",
        )
    return duration_s


def policy_path(environ: Mapping[str, str]) -> Path | None:
    """The absolute path of the gate's policy file; None if none is set."""
    named = environ.get(POLICY_VARIABLE, "")
    return path_of(named).absolute() if named else None


def _layer0(environ: Mapping[str, str]) -> Layer0Settings | None:
    endpoint = environ.get("LAYER0_API_ENDPOINT", "").strip()
    token = environ.get("LAYER0_AUTH_TOKEN", "").strip()
    if not endpoint:
        return None
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"LAYER0_API_ENDPOINT {endpoint.rpartition('@')[2]!r} is not an http or https address",
            hint="get it from `l0-setup endpoint`",
        )
    if not token:
        raise SettingsError(
            "LAYER0_AUTH_TOKEN is not set, while LAYER0_API_ENDPOINT is",
            hint="get it from `l0-setup endpoint`",
        )
    skip = environ.get("LAYER0_SKIP_SSL_VERIFY", "").lower() in ("1", "true")
    return Layer0Settings(f"{parts.scheme}://{parts.netloc}", token, skip)
