"""What people read: report, charts, exports, SQL, data dictionary."""
