//! Retiring a legacy access by schedule: cohorts, phases, extensions and the usage ledger.
