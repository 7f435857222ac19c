"""Who is logged in: the one user whose key is taken. moto would name itself, in a form that AWS never has."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse

USER_ID = "AIDASANDBOXSANDBOXSAN"


def name_identity(account: str) -> None:
    """Put the corrected call in place of moto's."""

    def get_caller_identity(_: TokenResponse) -> ActionResult:
        return ActionResult(
            {"UserId": USER_ID, "Account": account, "Arn": f"arn:aws:iam::{account}:user/sandbox"}
        )

    TokenResponse.get_caller_identity = get_caller_identity  # type: ignore[method-assign,assignment]
