"""The contexts that Django's test client keeps as ``response.context``."""

from __future__ import annotations

import pytest
from django.template import Context, RequestContext, Template
from django.test.signals import template_rendered
from django.utils.safestring import SafeString


@pytest.fixture(scope="session", autouse=True)
def pages_alone_are_kept(django_test_environment: None) -> None:
    """Keep the context of the page, not of each of the hundreds of templates that it includes: a tenth of the time.

    Django ends this with its test environment.
    """
    Template._render = _render  # type: ignore[attr-defined]  # as Django's test environment does


def _render(self: Template, context: Context) -> SafeString:
    if context.template is self and isinstance(context, RequestContext):
        template_rendered.send(sender=self, template=self, context=context)
    rendered: SafeString = self.nodelist.render(context)
    return rendered
