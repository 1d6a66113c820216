"""What several verbs share; every other file of the folder above is a verb, or a part of one."""
