"""Authenticates staff and their permissions for Django: AUTHENTICATION_BACKENDS names this."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User as Staff

from staff.access.permissions import permissions_of, read_staff, visible_to


class StaffBackend(ModelBackend):
    """Passwords as Django keeps them; permissions by ``StaffAccess`` alone, without groups and single permissions."""

    def get_user(self, user_id: int) -> Staff | None:
        user = read_staff(user_id)
        return user if self.user_can_authenticate(user) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The permissions of ``user_obj``, for ``obj`` if it is given."""
        if obj is not None and not visible_to(user_obj, type(obj)._base_manager.filter(pk=obj.pk)).exists():
            return set()
        if not hasattr(user_obj, "_staff_permissions"):
            user_obj._staff_permissions = permissions_of(user_obj)
        permissions: set[str] = user_obj._staff_permissions
        return permissions

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return perm in self.get_all_permissions(user_obj, obj)
