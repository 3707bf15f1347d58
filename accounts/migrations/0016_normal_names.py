from __future__ import annotations

from typing import Any

from django.core.management import CommandError
from django.db import migrations
from django.db.models import Q

import accounts.names
from accounts.names import ABNORMAL, normal_name

_SAME = """
    SELECT array_agg(id ORDER BY id)
    FROM (
        SELECT users.id, users.deployment_id, coalesce(normal.{field}, users.{field}) AS name
        FROM accounts_user users LEFT JOIN unnest(%s::bigint[], %s::text[], %s::text[]) normal(id, email, username)
            ON normal.id = users.id
    ) named
    WHERE name <> '' GROUP BY deployment_id, lower(name) HAVING count(*) > 1 ORDER BY 1
"""


def normalise(apps: Any, schema_editor: Any) -> None:
    """Bring the names of all users to the form in which they are stored from now on.

    Which of two users keeps a name that both would have then is not for a migration to say: it names them and stops.
    """
    users = apps.get_model("accounts", "User").objects
    suspects = Q()  # the normal form of plain ASCII without anything abnormal is the same
    for field in ("email", "username"):
        suspects |= Q(**{f"{field}__regex": r"[^\u0001-\u007F]"}) | Q(**{f"{field}__regex": ABNORMAL})
    changed = []
    for row in users.filter(suspects).only("email", "username").order_by("pk").iterator():
        before = row.email, row.username
        row.email, row.username = map(normal_name, before)
        if (row.email, row.username) != before:
            changed.append(row)
    if not changed:
        return
    columns = [[row.pk for row in changed], [row.email for row in changed], [row.username for row in changed]]
    same: list[str] = []
    with schema_editor.connection.cursor() as cursor:
        for field in ("email", "username"):
            cursor.execute(_SAME.format(field=field), columns)
            same += [f"{field} of users {' and '.join(map(str, ids))}" for (ids,) in cursor]
    if same:
        raise CommandError(
            "E-mail addresses and usernames are stored in one spelling from now on (docs/sessions.md), in which some "
            f"are the same: {'; '.join(same)}. Change or delete one of each, then migrate again. Nothing was changed."
        )
    users.bulk_update(changed, ["email", "username"], batch_size=1000)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0015_allowed_origins"),
    ]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="email",
            field=accounts.names.AddressField(blank=True, db_default="", max_length=254),
        ),
        migrations.AlterField(
            model_name="user",
            name="username",
            field=accounts.names.NameField(blank=True, db_default="", max_length=150),
        ),
        migrations.RunPython(normalise, migrations.RunPython.noop),
    ]
