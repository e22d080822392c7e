"""The parts that every service needs in production. docs/upgrading.md says what changed between two versions."""

__version__ = "2.0.0.dev0"
