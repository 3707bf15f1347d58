"""The pictures that the service itself serves, where no other server has their files."""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",  # pages on other sites show it
}


@require_safe
def picture(request: HttpRequest, name: str) -> HttpResponse:
    """The picture of this name, for everybody who knows it: browsers send no cookie for a picture on another site."""
    if not default_storage.url(name).startswith("/"):
        raise Http404
    try:
        with default_storage.open(name) as file:
            content = file.read()
    except OSError as error:
        raise Http404 from error
    return HttpResponse(content, content_type="image/webp", headers=HEADERS)
