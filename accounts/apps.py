from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Make the security schemes known to drf-spectacular, and the allowed origins to django-cors-headers."""
        for module in ("accounts.deployments.origins", "accounts.public.schema"):
            import_module(module)
