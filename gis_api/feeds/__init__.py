"""What happened, told to other systems in their own words: CAP 1.2, Cursor on Target, CloudEvents; and CAP read."""
