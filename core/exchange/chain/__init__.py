"""The chain as far as a trading wallet needs it: what its transactions mean, who signed them, what becomes of them."""
