"""On the ground: frames of cameras become located findings (walk 1)."""
