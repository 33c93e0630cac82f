//! From the spool to the next hop or the local maildrop: retries, reports, connections.
