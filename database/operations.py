"""Operations of migrations, in the place of Django's and pgtrigger's own.

Those build the classes of the model and of all models related to it anew, though a constraint, an index or a trigger
changes none of their fields. With some hundreds of them, this is most of the time that a migrate of an empty database
takes.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pgtrigger.migrations
from django.db import NotSupportedError, migrations
from django.db.migrations.operations.models import IndexOperation
from django.db.migrations.state import ProjectState


class AddConstraint(migrations.AddConstraint):
    """Add a constraint to a model."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        _add_option(state, app_label, self.model_name_lower, "constraints", self.constraint)


class AddIndex(migrations.AddIndex):
    """Add an index to a model."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        _add_option(state, app_label, self.model_name_lower, "indexes", self.index)


class DisableFastUpdate(IndexOperation):
    """Have writers add to a GIN index at once: no entries wait in a list that each search reads to its end.

    The first statement locks the index, and with it the table, until it is committed, and the second takes long. So a
    migration with this operation must have ``atomic = False``. Reversing it restores PostgreSQL's default.
    """

    atomic = False

    def __init__(self, model_name: str, name: str) -> None:
        self.model_name = model_name
        self.name = name

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [], {"model_name": self.model_name, "name": self.name})

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        indexes = deepcopy(state.models[app_label, self.model_name_lower].options["indexes"])
        next(index for index in indexes if index.name == self.name).fastupdate = False
        _set_option(state, app_label, self.model_name_lower, "indexes", indexes)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.atomic_migration:
            raise NotSupportedError("The migration needs atomic = False, lest it hold its locks to its end.")
        schema_editor.execute(f"ALTER INDEX {schema_editor.quote_name(self.name)} SET (fastupdate = off)")
        schema_editor.execute("SELECT gin_clean_pending_list(%s)", [self.name])

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(f"ALTER INDEX {schema_editor.quote_name(self.name)} RESET (fastupdate)")

    def describe(self) -> str:
        return f"Disable the fast update of index {self.name} on model {self.model_name}"


class AddTrigger(pgtrigger.migrations.AddTrigger):
    """Add a trigger to a model."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        _add_option(state, app_label, self.model_name_lower, "triggers", self.trigger)


class RemoveTrigger(pgtrigger.migrations.RemoveTrigger):
    """Remove a trigger from a model."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        triggers = state.models[app_label, self.model_name_lower].options["triggers"]
        kept = [trigger for trigger in triggers if trigger.name != self.name]
        _set_option(state, app_label, self.model_name_lower, "triggers", kept)


def _add_option(state: ProjectState, app_label: str, model: str, name: str, value: Any) -> None:
    _set_option(state, app_label, model, name, [*state.models[app_label, model].options.get(name, []), value])


def _set_option(state: ProjectState, app_label: str, model: str, name: str, values: list[Any]) -> None:
    state.models[app_label, model].options[name] = values
    if "apps" in state.__dict__:  # the classes have been built
        setattr(state.apps.get_model(app_label, model)._meta, name, values)
