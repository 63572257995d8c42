"""One slot and what may happen to it: it is held, guarded, put right after a crash, rolled back, scaled."""
