"""What the node programs share; every other file of the folder above is a program."""
