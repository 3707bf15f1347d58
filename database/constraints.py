"""A foreign key over several columns, declared in ``Meta.constraints``.

Django's own ``ForeignKey`` covers one column, so it cannot say "the membership's organization is the
workspace's". PostgreSQL can; this class lets a model declare it, migrations create it, and forms check it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement

OnDelete = Literal["NO ACTION", "CASCADE", "SET NULL"]


class ForeignKeyConstraint(models.BaseConstraint):
    """``FOREIGN KEY (fields) REFERENCES to (to_fields) ON DELETE on_delete``, checked at once.

    ``fields`` and ``to_fields`` are field names of this model and of ``to`` ("app.Model"), in pairs; the target
    needs a unique constraint over ``to_fields``. A row with a null in ``fields`` is not checked (MATCH SIMPLE).
    With ``SET NULL`` only the first of ``fields`` becomes null: the others are the row's own identity.
    """

    def __init__(
        self,
        *,
        name: str,
        fields: Sequence[str],
        to: str,
        to_fields: Sequence[str],
        on_delete: OnDelete = "NO ACTION",
        violation_error_message: str | None = None,
    ) -> None:
        self.fields = tuple(fields)
        self.to = to
        self.to_fields = tuple(to_fields)
        self.on_delete = on_delete
        super().__init__(name=name, violation_error_message=violation_error_message)

    def _definition(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:
        quote = schema_editor.quote_name
        target = model._meta.apps.get_model(self.to)
        columns = [quote(_column(model, field)) for field in self.fields]
        references = ", ".join(quote(_column(target, field)) for field in self.to_fields)
        action = f"SET NULL ({columns[0]})" if self.on_delete == "SET NULL" else self.on_delete
        return (
            f"FOREIGN KEY ({', '.join(columns)}) "
            f"REFERENCES {quote(target._meta.db_table)} ({references}) ON DELETE {action}"
        )

    def constraint_sql(  # type: ignore[override]  # the stubs want a schema editor of any database
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor
    ) -> str:
        return f"CONSTRAINT {schema_editor.quote_name(self.name)} {self._definition(model, schema_editor)}"

    def create_sql(  # type: ignore[override]  # the stubs want a schema editor of any database
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor
    ) -> Statement:
        table = schema_editor.quote_name(model._meta.db_table)
        return Statement(f"ALTER TABLE {table} ADD {self.constraint_sql(model, schema_editor)}")

    def remove_sql(  # type: ignore[override]  # the stubs want a schema editor of any database
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor
    ) -> Statement:
        table = schema_editor.quote_name(model._meta.db_table)
        return Statement(f"ALTER TABLE {table} DROP CONSTRAINT {schema_editor.quote_name(self.name)}")

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: set[str] | None = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Raise ``ValidationError`` if the row that ``instance`` refers to does not exist.

        One field in the form is enough for the check: the other is often the row's own id or derived, so in no form.
        """
        if exclude and exclude.issuperset(self.fields):
            return
        values = [getattr(instance, cast(Any, model._meta.get_field(field)).attname) for field in self.fields]
        if None in values:
            return
        target = model._meta.apps.get_model(self.to)
        wanted = dict(zip(self.to_fields, values, strict=True))
        if not target._base_manager.using(using).filter(**wanted).exists():
            raise ValidationError(self.get_violation_error_message(), code=self.violation_error_code)

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        kwargs |= {"fields": self.fields, "to": self.to, "to_fields": self.to_fields}
        if self.on_delete != "NO ACTION":
            kwargs["on_delete"] = self.on_delete
        return path, args, kwargs

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ForeignKeyConstraint):
            return bool(self.deconstruct() == other.deconstruct())
        return NotImplemented

    __hash__ = models.BaseConstraint.__hash__


def of_same(shared: str, field: str, to: str, *, error: str | None = None) -> ForeignKeyConstraint:
    """The row of ``to`` that the foreign key ``field`` names has the same ``shared`` as this row."""
    return ForeignKeyConstraint(
        name=f"%(app_label)s_%(class)s_{field}_is_of_{shared}",
        fields=[field, shared],
        to=to,
        to_fields=["id", shared],
        violation_error_message=error,
    )


def goes_with(field: str, to: str, *, name: str, on_delete: OnDelete = "CASCADE") -> ForeignKeyConstraint:
    """The foreign key ``field``, whose rows PostgreSQL itself deletes or clears, for raw SQL too."""
    return ForeignKeyConstraint(name=name, fields=[field], to=to, to_fields=["id"], on_delete=on_delete)


def _column(model: type[models.Model], field: str) -> str:
    return cast(str, cast(Any, model._meta.get_field(field)).column)
