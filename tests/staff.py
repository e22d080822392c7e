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
    answer = log_in(session, service)
    assert answer.status_code == 302, answer.text
    session.headers["X-CSRFToken"] = session.cookies[csrf_cookie(service)]
    return session


def log_in(
    session: requests.Session, service: Service, *, password: str = PASSWORD, url: str = ""
) -> requests.Response:
    """Return the answer to the admin's login form, at the service's own URL or another one of it."""
    page = f"{url or service.url}/admin/login/"
    session.get(page, timeout=30)
    form = {"username": "staff", "password": password, "csrfmiddlewaretoken": session.cookies[csrf_cookie(service)]}
    return session.post(page, data=form, timeout=30, allow_redirects=False)


def csrf_cookie(service: Service) -> str:
    """Return the name of the cookie with the service's CSRF token."""
    return f"{service.project.removesuffix('_project')}_csrf"
