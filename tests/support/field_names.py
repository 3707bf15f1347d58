"""The names of fields that client libraries read in more than one answer."""

from __future__ import annotations

TIMES = {"created_at", "updated_at"}
PUBLIC_USER = {
    "id",
    "first_name",
    "last_name",
    "username",
    "availability",
    "has_profile_picture",
    "profile_picture_url",
    "primary_phone_number",
    "primary_email_address",
}
