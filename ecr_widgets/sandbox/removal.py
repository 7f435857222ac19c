"""Removes a sandbox, given only its state: when it ends normally, and after its supervisor was killed."""

from __future__ import annotations

from collections.abc import Iterable

from ecr_widgets.errors import EngineError
from ecr_widgets.sandbox import busybox
from ecr_widgets.sandbox.engine_traces import remove_engine
from ecr_widgets.sandbox.folder import SandboxFolder
from ecr_widgets.sandbox.local_engine import PATIENCE_S, HeldImage, LocalEngine
from ecr_widgets.sandbox.polling import wait_until
from ecr_widgets.sandbox.state import SandboxState


def container_label(sandbox_id: str) -> str:
    """The label (`key=value`) of every container that a sandbox runs."""
    return f"ecr-widgets.sandbox={sandbox_id}"


def remove_sandbox(folder: SandboxFolder, state: SandboxState) -> None:
    """Remove all that a sandbox made except its folder with the lock; only the lock's holder may call this.

    Raises:
        EngineError: Something cannot be removed; the state file stays, so that this can be tried again.
    """
    if state.private_engine is not None:
        remove_engine(state.private_engine, folder.engine_data)
    elif state.docker_host is not None:
        _clean_engine(LocalEngine(state.docker_host, timeout_s=PATIENCE_S), state)
    folder.empty()


def end_engine(folder: SandboxFolder, state: SandboxState) -> None:
    """End the private engine of a sandbox that was killed, keeping its data for the next one.

    Raises:
        EngineError: Something cannot be removed.
    """
    if state.private_engine is not None:
        remove_engine(state.private_engine, folder.engine_data, keep_data=True)


def _clean_engine(engine: LocalEngine, state: SandboxState) -> None:
    """Remove from the machine's own engine what the sandbox added, and nothing else."""
    if engine.is_gone():
        return  # what is left there can be found by its label
    try:
        _remove_labelled(engine, container_label(state.sandbox_id))
        _remove_images(engine, state)
    except EngineError as error:
        raise type(error)(
            error.message, hint="when it works again, `ecr-widgets sandbox down` removes the rest"
        ) from error


def _remove_labelled(engine: LocalEngine, label: str) -> None:
    left: list[str] = []

    def are_gone() -> bool:
        # A busy engine may still be removing what it was asked to remove, and then keeps its images, too.
        left[:] = engine.remove_labelled(label)
        return not left

    if not wait_until(are_gone, timeout_s=PATIENCE_S):
        raise EngineError(f"the engine at {engine.docker_host} does not remove {', '.join(left)}")


def _remove_images(engine: LocalEngine, state: SandboxState) -> None:
    doomed: list[str] = []
    before = None
    # Again, as a removed image may leave one without a name; nothing changes any more where containers of others use one.
    while doomed != before:
        before, images = doomed, engine.images()
        held = {each for image in images for each in (image.image_id, *image.names)}
        # What was to be removed stays so: without its name in the registry an image does not show whose it was.
        doomed = [each for each in dict.fromkeys([*doomed, *_doomed_names(images, state)]) if each in held]
        for name in doomed:
            engine.remove_image(name)


def _doomed_names(images: Iterable[HeldImage], state: SandboxState) -> list[str]:
    """Names of images to remove from the machine's own engine.

    These have: names with the sandbox's registry's address, which ends with it; the base image's name if the sandbox loaded
    the image; and what was built on that image and pushed to the registry, or has lost its name.
    """
    doomed = []
    for image in images:
        pushed = _names_in_registry(image, state)
        if image.image_id == state.loaded_image:
            base = image.named(busybox.REFERENCE)
            doomed += [*pushed, base] if base else pushed
        elif _on_our_base(image) and pushed:
            doomed += image.names
        elif _on_our_base(image) and not image.names and state.loaded_image is not None:
            doomed.append(image.image_id)  # from a build whose tag has moved on
        else:
            doomed += pushed
    return doomed


def find_names(state: SandboxState) -> list[str]:
    """Names, on the machine's own engine, of all images that are in the sandbox's registry and of the base image."""
    names: list[str] = []
    for image in _images(state):
        if _names_in_registry(image, state):
            names += image.names
        elif image.image_id == state.loaded_image and (base := image.named(busybox.REFERENCE)):
            names.append(base)
    return [each for each in names if "@" not in each]


def still_held(state: SandboxState, names: Iterable[str]) -> list[str]:
    """Those of the names that a removal has left on the machine's own engine, sorted.

    Nothing shows that their images were made for the sandbox, or containers of others use them.
    """
    held = {each for image in _images(state) for each in image.names}
    return sorted(held.intersection(names))


def _images(state: SandboxState) -> list[HeldImage]:
    try:
        return LocalEngine(state.docker_host or "").images()
    except EngineError:
        return []


def _on_our_base(image: HeldImage) -> bool:
    return image.labels.items() >= busybox.LABEL.items()


def _names_in_registry(image: HeldImage, state: SandboxState) -> list[str]:
    """The image's names in the sandbox's registry."""
    if state.addresses is None:
        return []
    return [name for name in image.names if name.startswith(f"{state.addresses.registry_host}/")]
