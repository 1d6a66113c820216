"""Judging policies: whole suites of laps on all cores, what disturbs them, pictures, and one policy against another."""
