"""The dock widget "Label recording": carry masks along the tissue, and review them."""
