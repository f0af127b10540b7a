"""The deciding heart: observations and rules in, a Plan of steps out; pure."""
