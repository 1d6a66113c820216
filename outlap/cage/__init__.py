"""Runs Python that a stranger wrote, so that it reaches nothing but what it is given (docs/security.md)."""
