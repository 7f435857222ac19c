"""Who is logged in: the one user whose key is accepted. moto would name itself, in a form that AWS never uses."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse

USER_ID = "AIDASANDBOXSANDBOXSAN"


def name_identity(account: str) -> None:
    """Replace moto's call with the corrected one."""

    def get_caller_identity(_: TokenResponse) -> ActionResult:
        return ActionResult(
            {"UserId": USER_ID, "Account": account, "Arn": f"arn:aws:iam::{account}:user/sandbox"}
        )

    TokenResponse.get_caller_identity = get_caller_identity  # type: ignore[method-assign,assignment]
