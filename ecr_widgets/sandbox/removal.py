"""Removes a sandbox from its state alone: at an orderly end, and after a supervisor that was killed."""

from __future__ import annotations

from ecr_widgets.errors import EngineError
from ecr_widgets.sandbox import busybox
from ecr_widgets.sandbox.engine_traces import remove_engine
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.sandbox.local_engine import HeldImage, LocalEngine
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
        _clean_engine(LocalEngine(state.docker_host), state)
    folder.empty()


def end_engine(folder: SandboxFolder, state: SandboxState) -> None:
    """End the private engine of a sandbox that was killed, and keep what it held for the next one.

    Raises:
        EngineError: Something of it cannot be removed.
    """
    if state.private_engine is not None:
        remove_engine(state.private_engine, folder.engine_data, keep_data=True)


def _clean_engine(engine: LocalEngine, state: SandboxState) -> None:
    """Take out of the machine's own engine what the sandbox brought in, and nothing else.

    That is: what carries its label, names under the address of its registry, which ends with it, the base image where
    the sandbox loaded it and it still bears that name, and what was built on that and pushed to the registry.
    """
    if not engine.ping():
        return  # an engine that is gone answers nobody; what it keeps is found by its label
    engine.remove_labelled(container_label(state.sandbox_id))
    for image in engine.images():
        pushed = _names_in_registry(image, state)
        if image.image_id == state.loaded_image:
            base = image.named(busybox.REFERENCE)
            doomed = [*pushed, base] if base else pushed
        elif _on_our_base(image) and pushed:
            doomed = [*image.names]
        elif _on_our_base(image) and not image.names and state.loaded_image is not None:
            doomed = [image.image_id]  # of a build whose tag has moved on
        else:
            doomed = pushed
        for name in doomed:
            engine.remove_image(name)


def find_kept_names(state: SandboxState) -> list[str]:
    """Name the images that were pushed to the sandbox's registry and stay on the machine's own engine.

    They have names of their own, and neither name nor content says that they were made for the sandbox.
    """
    if state.docker_host is None or state.private_engine is not None:
        return []
    kept: set[str] = set()
    try:
        for image in LocalEngine(state.docker_host).images():
            pushed = _names_in_registry(image, state)
            if pushed and not _on_our_base(image):
                kept |= {name for name in image.names if name not in pushed and "@" not in name}
    except EngineError:
        return []
    return sorted(kept)


def _on_our_base(image: HeldImage) -> bool:
    return image.labels.items() >= busybox.LABEL.items()


def _names_in_registry(image: HeldImage, state: SandboxState) -> list[str]:
    """The names of an image that lead to the sandbox's registry."""
    if state.addresses is None:
        return []
    return [name for name in image.names if name.startswith(f"{state.addresses.registry_host}/")]
