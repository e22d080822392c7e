"""Log in to a running service through the admin's form, as staff do."""

from __future__ import annotations

import requests

from tests.processes import Service, manage

PASSWORD = "a-password-for-tests-only"


def staff_session(service: Service) -> requests.Session:
    """Create a staff user and return a logged-in session that can write (cookie and CSRF token)."""
    done = manage(
        service.project,
        "createsuperuser",
        "--noinput",
        env=service.env
        | {
            "DJANGO_SUPERUSER_USERNAME": "staff",
            "DJANGO_SUPERUSER_EMAIL": "staff@shop.example",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        },
    )
    assert done.returncode == 0, done.stderr
    session = requests.Session()
    session.get(f"{service.url}/admin/login/", timeout=30)
    form = {"username": "staff", "password": PASSWORD, "csrfmiddlewaretoken": session.cookies[csrf_cookie(service)]}
    answer = session.post(f"{service.url}/admin/login/", data=form, timeout=30, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    session.headers["X-CSRFToken"] = session.cookies[csrf_cookie(service)]
    return session


def csrf_cookie(service: Service) -> str:
    """Return the name of the cookie with the service's CSRF token."""
    return f"{service.project.removesuffix('_project')}_csrf"
