"""Calls to ECR or STS that raise our own errors."""

from __future__ import annotations

from ecr_widgets.adapters.aws_calls import AwsErrors, Refusal
from ecr_widgets.errors import RegistryError, RegistryUnavailable, RepositoryNotFound

_ERRORS = AwsErrors(
    unavailable=RegistryUnavailable,
    refused=RegistryError,
    refusals=(
        Refusal("RepositoryNotFoundException", RepositoryNotFound, "check the name and the region"),
        Refusal(
            "KmsException",
            RegistryError,
            "the key must be in the repository's region, enabled, and yours to use: kms:DescribeKey, kms:CreateGrant",
        ),
    ),
)
translated = _ERRORS.translated
