"""Learning to drive: the task, a privileged teacher, a student that sees, and the runs that keep their results."""
