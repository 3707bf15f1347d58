from django.db import migrations

from database.operations import DisableFastUpdate


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("organizations", "0007_acronyms_in_labels"),
    ]

    operations = [
        DisableFastUpdate("segment", name="organizations_segment_words"),
        DisableFastUpdate("organization", name="organizations_org_words"),
        DisableFastUpdate("organizationdomain", name="organizations_domain_words"),
        DisableFastUpdate("workspace", name="organizations_workspace_words"),
        DisableFastUpdate("organizationrole", name="organizations_orgrole_words"),
        DisableFastUpdate("workspacerole", name="organizations_wsrole_words"),
    ]
