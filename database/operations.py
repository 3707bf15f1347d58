"""Operations of migrations."""

from __future__ import annotations

from django.db.migrations.state import ProjectState
from pgtrigger import migrations


class AddTrigger(migrations.AddTrigger):
    """Add a trigger to a model, in the place of pgtrigger's own operation.

    That one builds the classes of the model and of all models related to it anew, though a trigger changes none of
    their fields. With some hundreds of triggers, this is most of the time that a migrate of an empty database takes.
    """

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        options = state.models[app_label, self.model_name].options
        options["triggers"] = [*options.get("triggers", []), self.trigger]


class RemoveTrigger(migrations.RemoveTrigger):
    """Remove a trigger from a model, in the place of pgtrigger's own operation, as ``AddTrigger`` says."""

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        options = state.models[app_label, self.model_name].options
        options["triggers"] = [trigger for trigger in options["triggers"] if trigger.name != self.name]
