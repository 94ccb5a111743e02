"""The closed loop from finding to solving: decisions, cases, deadlines, reports, legality, dispatch, key figures."""
