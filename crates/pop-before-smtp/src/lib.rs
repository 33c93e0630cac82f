//! The bridge: grants, their window, and the consult that a submission makes of it.
