"""The benchmark: a load generator, a mail sink, and what they see of a whole Carillon of their own."""
