"""Drawing what cameras see."""
