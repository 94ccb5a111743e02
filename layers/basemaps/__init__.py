"""Base maps of others (天地图, any WMTS or XYZ source), fetched by the server: addresses and keys stay here, tiles are checked and kept."""
