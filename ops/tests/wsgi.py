from __future__ import annotations

from ops.wsgi import get_application

application = get_application()
