"""Open standards for other systems: OGC API Features (parts 1 to 3) and Tiles under /ogc, STAC under /stac. They read; nothing here writes."""
