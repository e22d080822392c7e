from __future__ import annotations

from ops.management import factors
from ops.management.commands import doctor


class Command(doctor.Command):
    """Show the twelve factors (https://12factor.net), each with its evidence from this process and its environment.
    It changes nothing. A factor without evidence is a failure, a gap that has its reasons a warning.

    Examples:
      manage.py twelve_factor
      manage.py twelve_factor --strict --json       in a pipeline, after a deploy

    All are examined together, within 5 s. docs/operations/reference.md explains each line. A failure exits with 1,
    with --strict also a warning.
    """

    probes = staticmethod(factors.factors)
