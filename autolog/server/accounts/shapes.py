"""What goes in and out as JSON about who may do what; the OpenAPI document describes these types."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from autolog.server.accounts.access import Role

__all__ = [
    "AuditEntry", "AuditPage", "Done", "Invitation", "Member", "MemberList", "MemberRole", "NewShare", "NewToken",
    "NewUser", "NewWorkspace", "PasswordChange", "ProjectChange", "ProjectInfo", "Redeemed", "Redemption",
    "Session", "ShareItem", "ShareList", "ShareMade", "Shared", "SignIn", "TokenItem", "TokenList", "TokenMade",
    "UserChange", "UserItem", "UserList", "WorkspaceInfo", "WorkspaceItem", "WorkspaceList",
]  # fmt: skip


_NO_NUL = r"^[^\x00]*$"  # what a database cannot hold as text
_Name = Annotated[str, msgspec.Meta(max_length=200, pattern=_NO_NUL)]
_Secret = Annotated[str, msgspec.Meta(max_length=1000, pattern=_NO_NUL)]


class Done(msgspec.Struct):
    """It was done."""

    done: bool = True


# -- signing in --------------------------------------------------------------------------------------------------------


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """A user and a password, or a token, or the secret of a share link."""

    user: _Name | None = None
    password: _Secret | None = None
    token: _Secret | None = None
    share: _Secret | None = None


class Shared(msgspec.Struct):
    """What a share link shows; ``run`` none: all of the project."""

    project: str
    run: str | None


class Session(msgspec.Struct):
    """Whom the browser's session speaks for."""

    user: str | None
    """None: for whoever has a share link."""
    csrf: str
    """To be sent as ``X-CSRF-Token`` with every request of the session that changes something."""
    share: Shared | None
    everywhere: Role | None
    """Their role in every project, if they have one; ``admin``: they are an admin of the server."""
    roles: dict[str, Role]
    creates: bool
    """Whether they may begin projects."""
    expires_at: float


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """A new password in place of the old one."""

    old: _Secret
    new: _Secret


class Redemption(msgspec.Struct, forbid_unknown_fields=True):
    """An invitation's secret, and the password that its user wants."""

    secret: _Secret
    password: _Secret


class Redeemed(msgspec.Struct):
    """The user who has a password now, and can sign in."""

    user: str


# -- users and tokens --------------------------------------------------------------------------------------------------


class UserItem(msgspec.Struct):
    """A user."""

    name: str
    admin: bool
    """Of the server."""
    disabled: bool
    password: bool
    """Whether they have one."""
    created_at: float


class UserList(msgspec.Struct):
    """All users."""

    users: list[UserItem]


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user who is to be."""

    name: str
    admin: bool = False


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be otherwise; what is left out stays."""

    admin: bool | None = None
    disabled: bool | None = None


class Invitation(msgspec.Struct):
    """Lets one person set the user's password, once."""

    user: str
    secret: str
    """It is told only now."""
    expires_at: float


class TokenItem(msgspec.Struct):
    """A token, without its secret."""

    id: str
    label: str
    role: Role
    """The most it may do."""
    project: str | None
    """The only project it is for; none: all of the user's."""
    created_at: float
    expires_at: float | None


class TokenList(msgspec.Struct):
    """Tokens that are valid."""

    tokens: list[TokenItem]


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """A token that is to be."""

    role: Role = "writer"
    project: str | None = None
    days: float | None = None
    """Until it expires; none: never, or with the token it is made with."""
    label: _Name = ""


class TokenMade(TokenItem, kw_only=True):
    """A token."""

    token: str
    """It is told only now."""


# -- projects ----------------------------------------------------------------------------------------------------------


class ProjectInfo(msgspec.Struct):
    """A project, as one sees it."""

    project: str
    public: bool
    """Whether anyone may read it."""
    workspace: str | None
    """None: it is of none, or one is no member of the project."""
    role: Role | None
    """What one may do in it; none: only read what is public or shared."""
    created_at: float


class ProjectChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be otherwise; what is left out stays."""

    public: bool | None = None
    workspace: str | msgspec.UnsetType | None = msgspec.UNSET
    """The workspace it moves to; null: to none."""


class Member(msgspec.Struct):
    """A member of a project or workspace."""

    user: str
    role: Role
    workspace: str | None = None
    """The workspace whose member they are, if it is not the project itself."""


class MemberList(msgspec.Struct):
    """Members."""

    members: list[Member]


class MemberRole(msgspec.Struct, forbid_unknown_fields=True):
    """What a member may do."""

    role: Role


class WorkspaceItem(msgspec.Struct):
    """A workspace, and one's own role in it."""

    name: str
    role: Role


class WorkspaceList(msgspec.Struct):
    """Workspaces."""

    workspaces: list[WorkspaceItem]


class NewWorkspace(msgspec.Struct, forbid_unknown_fields=True):
    """A workspace that is to be."""

    name: str


class WorkspaceInfo(msgspec.Struct):
    """A workspace with its projects."""

    name: str
    role: Role
    projects: list[str]


class NewShare(msgspec.Struct, forbid_unknown_fields=True):
    """A share link that is to be."""

    run: str | None = None
    """The only run; none: all of the project."""
    days: float | None = None
    """Until it expires; none: never."""
    label: _Name = ""


class ShareItem(msgspec.Struct):
    """A share link, without its secret."""

    id: str
    run: str | None
    label: str
    made_by: str
    created_at: float
    expires_at: float | None


class ShareList(msgspec.Struct):
    """Share links that are valid."""

    shares: list[ShareItem]


class ShareMade(ShareItem, kw_only=True):
    """A share link."""

    secret: str
    """It is told only now."""


# -- the audit log -----------------------------------------------------------------------------------------------------


class AuditEntry(msgspec.Struct):
    """Something that was done."""

    time: float
    user: str
    """Empty: nobody who is known, or somebody at the server's machine."""
    address: str
    action: str
    project: str | None
    subject: str
    """What it was done to: a user, a run, a token's id."""
    details: dict[str, Any]


class AuditPage(msgspec.Struct):
    """Entries, newest first."""

    entries: list[AuditEntry]
    cursor: str | None
    """Gives the next page; none: this is the last."""
