"""Removes a sandbox from its state alone: at an orderly end, and after a supervisor that was killed."""

from __future__ import annotations

from ecr_widgets.sandbox.engine_api import EngineApi
from ecr_widgets.sandbox.engine_traces import remove_engine
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.sandbox.state import SandboxState


def container_label(sandbox_id: str) -> str:
    """The label, `key=value`, of every container that a sandbox runs."""
    return f"ecr-widgets.sandbox={sandbox_id}"


def remove_sandbox(folder: SandboxFolder, state: SandboxState) -> None:
    """Remove all that a sandbox made but its folder with the lock, whose holder alone may call this.

    Raises:
        EngineError: Something of it cannot be removed; the state file stays, so that it can be tried again.
    """
    if state.private_engine is not None:
        remove_engine(state.private_engine, folder.engine_data)
    elif state.docker_host is not None:
        _clean_engine(EngineApi(state.docker_host), state)
    folder.empty()


def end_engine(folder: SandboxFolder, state: SandboxState) -> None:
    """End the private engine of a sandbox that was killed, and keep what it held for the next one.

    Raises:
        EngineError: Something of it cannot be removed.
    """
    if state.private_engine is not None:
        remove_engine(state.private_engine, folder.engine_data, keep_data=True)


def _clean_engine(engine: EngineApi, state: SandboxState) -> None:
    """Take out of the machine's own engine what the sandbox brought in, and nothing else.

    That is: what carries its label, images under the address of its registry, which ends with it, and the base
    image where the sandbox loaded it and it still bears that name.
    """
    if not engine.ping():
        return  # an engine that is gone answers nobody; what it keeps is found by its label
    label = container_label(state.sandbox_id)
    for container_id in engine.container_ids(label):
        engine.remove_container(container_id)
    engine.remove_networks_and_volumes(label)
    for reference, image_id in engine.image_references():
        of_registry = state.addresses is not None and reference.startswith(
            f"{state.addresses.registry_host}/"
        )
        if of_registry or (reference == "busybox:latest" and image_id == state.loaded_image):
            engine.remove_image(reference)
