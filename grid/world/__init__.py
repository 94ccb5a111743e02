"""The world as it is: regions, cells, buildings, coast, forest, parcels, cameras, units, staff."""
