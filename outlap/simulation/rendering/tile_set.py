"""How many tiles of floors and walls there are, for the files that name one; ``textures.py`` draws them."""

SIZE = 256  # pixels across a tile; of floors and walls alike
FLOORS = 8  # tiles that look like floors
WALLS = 8  # tiles that look like busy rooms
