"""Turns pixels into findings: satellites, drones, cameras."""
