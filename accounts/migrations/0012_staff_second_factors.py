"""The second factors of staff move from django-otp's tables, where they lie in clear, into encrypted ones.

The old tables go, for what is in them must not stay readable. Whoever goes back to a version before this has them made
anew (``migrate otp_totp zero --fake``, ``migrate otp_totp``, the same of ``otp_static``) and sets up second factors again.
"""

import base64
from typing import Any

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import connection, migrations, models
from django.utils.crypto import salted_hmac

from accounts import encryption


def move(apps: Any, schema_editor: Any) -> None:
    """As the service reads them: the secret encrypted in base32, of a backup code its keyed hash."""
    authenticators = apps.get_model("accounts", "StaffAuthenticator")
    backup_codes = apps.get_model("accounts", "StaffBackupCodes")
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('otp_totp_totpdevice'), to_regclass('otp_static_statictoken')")
        has_devices, has_codes = cursor.fetchone()
        if has_devices:
            cursor.execute("SELECT user_id, name, confirmed, key, last_t FROM otp_totp_totpdevice")
            for user_id, name, confirmed, key, last_step in cursor.fetchall():
                secret = encryption.encrypt(base64.b32encode(bytes.fromhex(key)))
                authenticators.objects.create(
                    user_id=user_id, name=name, confirmed=confirmed, secret=secret, last_step=last_step
                )
            cursor.execute("DROP TABLE otp_totp_totpdevice")
        if has_codes:
            cursor.execute(
                "SELECT device.user_id, array_agg(code.token) FROM otp_static_statictoken code "
                "JOIN otp_static_staticdevice device ON device.id = code.device_id WHERE device.confirmed GROUP BY 1"
            )
            for user_id, codes in cursor.fetchall():
                hashes = [_hash(user_id, code) for code in codes]
                backup_codes.objects.create(user_id=user_id, name="backup codes", code_hashes=hashes)
            cursor.execute("DROP TABLE otp_static_statictoken, otp_static_staticdevice")


def _hash(user_id: int, code: str) -> str:
    return salted_hmac("accounts.staff.backup-code", f"{user_id}:{code.lower()}", algorithm="sha256").hexdigest()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_outside_issuers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="StaffAuthenticator",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="The human-readable name of this device.", max_length=64)),
                ("confirmed", models.BooleanField(default=True, help_text="Is this device ready for use?")),
                ("secret", models.BinaryField(help_text="encrypted with KEY_ENCRYPTION_KEYS")),
                (
                    "last_step",
                    models.BigIntegerField(
                        editable=False,
                        help_text="The time step of the last code taken: no code is taken twice.",
                        null=True,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="StaffBackupCodes",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="The human-readable name of this device.", max_length=64)),
                ("confirmed", models.BooleanField(default=True, help_text="Is this device ready for use?")),
                (
                    "code_hashes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, editable=False, size=None
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "staff backup codes",
            },
        ),
        migrations.AddField(
            model_name="staffauthenticator",
            name="user",
            field=models.ForeignKey(
                help_text="The user that this device belongs to.",
                on_delete=django.db.models.deletion.CASCADE,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="staffbackupcodes",
            name="user",
            field=models.ForeignKey(
                help_text="The user that this device belongs to.",
                on_delete=django.db.models.deletion.CASCADE,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
