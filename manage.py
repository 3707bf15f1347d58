#!/usr/bin/env python
"""Rollcall's commands: ``manage.py help`` lists them."""

import gc

gc.disable()  # until all is imported (set_up)

import os
import sys
from contextlib import suppress

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from audit import actors
from config import local_postgres


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        local_postgres.provide()
        set_up()
        with actors.acting(actors.command(sys.argv[1] if len(sys.argv) > 1 else "help")):
            execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit("\n".join(f"rollcall: {line}" for line in str(error).splitlines()))
    except KeyboardInterrupt:
        sys.exit(130)


def set_up() -> None:
    """Import everything once and for all: to look for garbage in it, now or at the end, is a third of most commands."""
    with suppress(ImproperlyConfigured):  # the command says so, unless it does without settings
        django.setup()
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    main()
