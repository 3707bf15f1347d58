from django.apps import AppConfig


class OrganizationsConfig(AppConfig):
    name = "organizations"

    def ready(self) -> None:
        """Have every new deployment start with the default roles."""
        from organizations import default_roles  # noqa: F401
