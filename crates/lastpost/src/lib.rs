//! Configuration, wiring, command line, control side and signals of the daemons.
