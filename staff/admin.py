"""All pages for staff: Django's admin looks here for them, and each registers itself."""

from staff.pages import (
    audit_log,
    deployments,
    invitations,
    mail,
    memberships,
    organizations,
    sessions,
    staff,
    users,
)

__all__ = [
    "audit_log",
    "deployments",
    "invitations",
    "mail",
    "memberships",
    "organizations",
    "sessions",
    "staff",
    "users",
]
