"""The synthetic participants: what is true, who knows it, and what they do about it."""
