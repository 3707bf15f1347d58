"""All pages for staff: Django's admin looks here for them, and each registers itself."""

from staff.pages import (  # noqa: F401
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
