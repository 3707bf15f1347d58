"""Operations of migrations, in the place of Django's and pgtrigger's own.

Those build the classes of the model and of all models related to it anew, though a constraint, an index or a trigger
changes none of their fields. With some hundreds of them, this is most of the time that a migrate of an empty database
takes.
"""

from __future__ import annotations

from typing import Any

import pgtrigger.migrations
from django.db import migrations
from django.db.migrations.state import ProjectState


class AddConstraint(migrations.AddConstraint):
    """Add a constraint to a model."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        _add_option(state, app_label, self.model_name_lower, "constraints", self.constraint)


class AddIndex(migrations.AddIndex):
    """Add an index to a model."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        _add_option(state, app_label, self.model_name_lower, "indexes", self.index)


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
