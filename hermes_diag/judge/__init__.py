"""From evidence to findings, verdicts and reports. Pure: it measures nothing and prints nothing."""
