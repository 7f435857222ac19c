"""Embedded stand-ins on loopback: ECR with its registry, a Docker Engine, ECS and Layer0.

    with Sandbox() as sandbox:
        subprocess.run(command, env=sandbox.environ(os.environ))

The parts are real where possible: a real `dockerd`, real containers, AWS's API by moto. The application never imports
this package, except for the command line's `sandbox`; it only finds other addresses in the standard variables.

What it imitates, simplifies and refuses:

| part | imitates | simplifies | refuses |
|---|---|---|---|
| Docker Engine | is one: the machine's own, or a private `dockerd` | a private one has no network access | engines on other machines |
| ECR and registry | AWS's API and errors, tokens that expire, pushes and pulls | one account, one region | wrong or expired passwords |
| ECS | its API; services and tasks are real containers | one machine is every instance | calls signed otherwise |
| Layer0 | its REST API; services and tasks are real containers | one machine is every instance | requests without its token |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecr_widgets.sandbox.sandbox import Sandbox as Sandbox
    from ecr_widgets.sandbox.sandbox import SandboxStatus as SandboxStatus

__all__ = ["Sandbox", "SandboxStatus"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: the supervisor process does not need it.
    if name in __all__:
        from ecr_widgets.sandbox import sandbox

        return getattr(sandbox, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
