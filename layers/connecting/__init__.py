"""How other systems are read: the addresses that are allowed, the door they are asked through, the file that what they say is written to."""
