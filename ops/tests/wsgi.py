from __future__ import annotations

from ops.server.wsgi import get_application

application = get_application()
