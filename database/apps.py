from django.apps import AppConfig
from django.db.backends.signals import connection_created


class DatabaseConfig(AppConfig):
    name = "database"

    def ready(self) -> None:
        """Give each new connection its limits, and evict everything: it may lead to another server."""
        from database import cache, session_settings

        connection_created.connect(session_settings.require, dispatch_uid="database.session_settings")
        connection_created.connect(cache.clear, dispatch_uid="database.cache")
