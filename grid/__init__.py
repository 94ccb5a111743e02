"""The world as it is governed: places, findings, alerts, cases, people. No HTTP, no pixels."""
