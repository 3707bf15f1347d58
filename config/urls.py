"""Every address of the service."""

from django.contrib import admin
from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from config import operations
from memberships.views import WorkspaceMembershipViewSet

urlpatterns = [
    path("me/workspace-memberships", WorkspaceMembershipViewSet.as_view({"get": "list"}), name="workspace-memberships"),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs"),
    path("admin/", admin.site.urls),
    path("healthz", operations.healthz),
    path("readyz", operations.readyz),
    path("metrics", operations.metrics),
]

handler400 = "config.api.exceptions.bad_request"
handler403 = "config.api.exceptions.permission_denied"
handler404 = "config.api.exceptions.page_not_found"
handler500 = "config.api.exceptions.server_error"
