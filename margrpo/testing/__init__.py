"""For tests, ours and third parties': small real things, and hypothesis strategies of them."""
