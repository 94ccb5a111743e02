"""One file a resource; each exposes `router`, discovered by folder scan (gis_api.main.discover)."""
