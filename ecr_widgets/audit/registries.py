"""The registries with the images of past runs, each with a token."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ecr_widgets.model.authorization_token import AuthorizationToken
from ecr_widgets.model.image_reference import ImageReference
from ecr_widgets.model.registry_host import Sameness, registry_id_of
from ecr_widgets.ports import Ecr, Registry
from ecr_widgets.steps.shared.registry_session import RegistrySession

if TYPE_CHECKING:
    from ecr_widgets.adapters.boto_ecr import BotoEcr


class Registries:
    """The account's registry, and those in other regions with the same identity; connected on first use."""

    def __init__(self) -> None:
        self._sessions: dict[str | None, RegistrySession] = {}

    @cached_property
    def registry(self) -> Registry:
        """The data-plane client for all of them."""
        from ecr_widgets.adapters.registry import OciRegistry

        return OciRegistry()

    def resolve(self, image: ImageReference) -> tuple[ImageReference, AuthorizationToken]:
        """Return an image under its registry's current host name, and a token for that.

        Raises:
            InvalidReference: It is in a registry for which there is no token.
        """
        own = self.session().registry()
        if image.registry is None or own.sameness(image.registry) is Sameness.SAME:
            return replace(image, registry=own.host), self.session().token()
        there = registry_id_of(image.registry)
        if there is None:
            raise own.refusal(image.registry, str(image))
        # A region's token also works for registries of other accounts there, if their policies allow it.
        return image, self.session(there.region).token()

    def session_for(self, image: ImageReference) -> RegistrySession:
        """Return the registry of this identity's account in the image's region."""
        there = registry_id_of(image.registry or "")
        is_own = self.session().registry().sameness(image.registry) is Sameness.SAME
        return self.session() if is_own or there is None else self.session(there.region)

    def session(self, region: str | None = None) -> RegistrySession:
        """Return the registry of this identity's account, in its own region or another one."""
        if region not in self._sessions:
            self._sessions[region] = self._session(self._ecr(region))
        return self._sessions[region]

    def load(self) -> None:
        """Load what the first request needs, which takes longer than the request; send nothing, and look for no credentials."""
        ecr = self._ecr(None)
        ecr.load()
        self._sessions[None] = self._session(ecr)
        self.registry  # noqa: B018 -- created on first access

    def _ecr(self, region: str | None) -> BotoEcr:
        from ecr_widgets.adapters.boto_ecr import BotoEcr

        return BotoEcr(region=region)

    def _session(self, ecr: Ecr) -> RegistrySession:
        from ecr_widgets.adapters.clock import SystemClock

        return RegistrySession(ecr, SystemClock())
