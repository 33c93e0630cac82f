//! Server side of SASL mechanisms, step by step.
