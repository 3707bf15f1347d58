"""The apps "config" and, in place of ``django.contrib.admin``, "config.apps.StaffAdminConfig"."""

from django.apps import AppConfig
from django.apps import apps as installed
from django.contrib.admin import apps
from django.db.backends.signals import connection_created


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        """Have each connection keep the limits, and the process trust its memory for one server's time only."""
        from config.database import cache, session_settings

        connection_created.connect(session_settings.require, dispatch_uid="config.database.session_settings")
        connection_created.connect(cache.clear, dispatch_uid="config.database.cache")


class StaffAdminConfig(apps.AdminConfig):
    """Django's admin, on the site that answers at ADMIN_HOSTS alone."""

    default = False
    default_site = "config.staff.site.StaffSite"

    def ready(self) -> None:
        super().ready()
        installed.get_app_config("auth").verbose_name = "Staff"  # the other users are the deployments'
