"""The ``outlap`` command, one verb a file."""
