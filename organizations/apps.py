from importlib import import_module

from django.apps import AppConfig


class OrganizationsConfig(AppConfig):
    name = "organizations"

    def ready(self) -> None:
        """Have every new deployment start with the default roles."""
        import_module("organizations.default_roles")
