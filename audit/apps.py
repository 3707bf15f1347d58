from django.apps import AppConfig
from django.db.backends.signals import connection_created


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        """Have every connection send the actor to the database."""
        from audit import actors

        connection_created.connect(actors.on_connection_created)
