from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Make the security schemes known to drf-spectacular, and the allowed origins to django-cors-headers."""
        from accounts import origins, schema  # noqa: F401
