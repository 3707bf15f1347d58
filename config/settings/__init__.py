"""Django's settings, one module a concern, each read from the environment (docs/configuration.md lists it all)."""

from config.environment import require_sound
from config.settings.admin import *
from config.settings.api import *
from config.settings.core import *
from config.settings.database import *
from config.settings.dns import *
from config.settings.logging import *
from config.settings.mail import *
from config.settings.media import *
from config.settings.security import *
from config.settings.sessions import *

require_sound()
