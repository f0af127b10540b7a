"""What happens when things break: processes are killed, answers get lost."""
