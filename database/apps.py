from django.apps import AppConfig
from django.apps import apps as installed
from django.db.backends.signals import connection_created
from pgtrigger import apps, registry


class DatabaseConfig(AppConfig):
    name = "database"

    def ready(self) -> None:
        """Give each new connection its limits, and evict everything: it may lead to another server."""
        from database import cache, session_settings

        connection_created.connect(session_settings.require, dispatch_uid="database.session_settings")
        connection_created.connect(cache.clear, dispatch_uid="database.cache")


class TriggersConfig(apps.PGTriggerConfig):
    """pgtrigger, but it does not compare each trigger with all others, which takes 0.1 s of every start.

    A test makes sure that each has a name of its own (tests/database/test_migrations.py). Installing triggers after
    every migrate, which pgtrigger offers as a setting, is left out: migrations install them.
    """

    default = False

    def ready(self) -> None:
        apps.patch_migrations()
        apps.patch_schema_editor()
        for model in installed.get_models():
            for trigger in getattr(model._meta, "triggers", []):
                registry._registry.data[trigger.get_uri(model)] = (model, trigger)
