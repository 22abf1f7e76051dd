"""All routes that say who may do what."""

from __future__ import annotations

from autolog.server.accounts import (
    audit_routes,
    project_routes,
    share_routes,
    signing_in,
    token_routes,
    user_routes,
    workspace_routes,
)  # fmt: skip

__all__ = ["ENDPOINTS"]

ENDPOINTS = [
    *signing_in.ENDPOINTS,
    *user_routes.ENDPOINTS,
    *token_routes.ENDPOINTS,
    *project_routes.ENDPOINTS,
    *share_routes.ENDPOINTS,
    *workspace_routes.ENDPOINTS,
    *audit_routes.ENDPOINTS,
]
