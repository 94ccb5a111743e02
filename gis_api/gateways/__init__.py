"""Devices that speak their own protocols hand in what they saw: GA/T 1400."""
