"""Who may do what: users and their passwords, sessions, tokens, members, workspaces, share links; and the audit log."""
