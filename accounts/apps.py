from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Make the security schemes known to drf-spectacular."""
        from accounts import schema  # noqa: F401
