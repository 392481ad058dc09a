"""What operators ask and are told: status and notifications."""
