from django.apps import AppConfig
from django.db.backends.signals import connection_created


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Make the security schemes known to drf-spectacular, the allowed origins to django-cors-headers, and who acts
        to the database.
        """
        from accounts import origins, schema  # noqa: F401
        from accounts.audit import actors

        origins.connect()
        connection_created.connect(actors.on_connection_created)
