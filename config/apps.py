"""The apps "config" and, in place of ``django.contrib.admin``, "config.apps.StaffAdminConfig"."""

from django.apps import AppConfig
from django.contrib.admin import apps


class ConfigConfig(AppConfig):
    name = "config"


class StaffAdminConfig(apps.AdminConfig):
    """Django's admin, on the site that answers at ADMIN_HOSTS alone."""

    default = False
    default_site = "config.staff.site.StaffSite"
