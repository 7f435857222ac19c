"""The registries that images of past runs are in, each with a token for it."""

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
    """The account's registry, and those of the same identity in other regions; connected when they are first asked."""

    def __init__(self) -> None:
        self._sessions: dict[str | None, RegistrySession] = {}

    @cached_property
    def registry(self) -> Registry:
        """The data plane of all of them."""
        from ecr_widgets.adapters.registry import OciRegistry

        return OciRegistry()

    def resolve(self, image: ImageReference) -> tuple[ImageReference, AuthorizationToken]:
        """An image under the name that its registry has now, and a token for that.

        Raises:
            InvalidReference: It is in a registry for which nobody here has a token.
        """
        own = self.session().registry()
        if image.registry is None or own.sameness(image.registry) is Sameness.SAME:
            return replace(image, registry=own.host), self.session().token()
        there = registry_id_of(image.registry)
        if there is None:
            raise own.refusal(image.registry, str(image))
        # A token of a region is good for the registries of other accounts there, as far as these let its holder in.
        return image, self.session(there.region).token()

    def session_for(self, image: ImageReference) -> RegistrySession:
        """Of this identity's account, in the region that an image is in."""
        there = registry_id_of(image.registry or "")
        is_own = self.session().registry().sameness(image.registry) is Sameness.SAME
        return self.session() if is_own or there is None else self.session(there.region)

    def session(self, region: str | None = None) -> RegistrySession:
        """The registry of this identity's account, in its own region or another one."""
        if region not in self._sessions:
            self._sessions[region] = self._session(self._ecr(region))
        return self._sessions[region]

    def load(self) -> None:
        """Load what the first look needs, which takes longer than the look. Nobody is asked, and no identity is looked for."""
        ecr = self._ecr(None)
        ecr.load()
        self._sessions[None] = self._session(ecr)
        self.registry  # noqa: B018 -- made when it is first named

    def _ecr(self, region: str | None) -> BotoEcr:
        from ecr_widgets.adapters.boto_ecr import BotoEcr

        return BotoEcr(region=region)

    def _session(self, ecr: Ecr) -> RegistrySession:
        from ecr_widgets.adapters.clock import SystemClock

        return RegistrySession(ecr, SystemClock())
