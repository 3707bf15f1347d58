"""The mails of the demo, for its playground: there is no mailbox to look into."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from accounts.deployments.cached_deployments import deployment_of
from accounts.mail import outbox
from accounts.models import Mail
from api.exceptions import reads_only

SHOWN = 5


@reads_only
def mails(request: HttpRequest) -> HttpResponse:
    """The newest mails of the deployment whose content is still there; 404 unless DEMO is set, for they hold codes."""
    if not settings.DEMO:
        raise Http404
    rows = Mail.objects.filter(deployment=deployment_of(request), content__isnull=False).select_related("deployment")
    shown = [_shown(row) for row in rows.order_by("-pk")[:SHOWN]]
    return JsonResponse({"mails": shown}, headers={"Cache-Control": "no-store"})


def _shown(row: Mail) -> dict[str, str]:
    text, values = outbox.rendered(row)
    return {
        "id": str(row.pk),
        "to": row.to,
        "state": row.state,
        "subject": text.subject_with(values),
        "text": text.text_with(values),
    }
