"""What sessions did and earned, told from ``mm_state.db`` afterwards."""
