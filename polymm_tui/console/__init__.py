"""What the operator's acts come to: questions, forms, commands and what became of them."""
