"""The app "staff" and, in place of ``django.contrib.admin``, "staff.apps.StaffAdminConfig"."""

from django.apps import AppConfig
from django.apps import apps as installed
from django.contrib.admin import apps


class StaffConfig(AppConfig):
    name = "staff"


class StaffAdminConfig(apps.AdminConfig):
    """Django's admin, on the site that answers at ADMIN_HOSTS alone."""

    default = False
    default_site = "staff.site.StaffSite"

    def ready(self) -> None:
        super().ready()
        from staff.toolkit import rendering  # imports models

        rendering.install_caches()
        installed.get_app_config("auth").verbose_name = "Staff"  # the other users are the deployments'
