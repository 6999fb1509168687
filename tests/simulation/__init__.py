"""The simulation: the production steps over a store and a broker in memory, a virtual clock, and every disaster."""
