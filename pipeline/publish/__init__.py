"""Output for people: report, charts, exports, SQL, data dictionary."""
