"""What sensors find: observations, the one door for them, fusion, rules, alerts."""
