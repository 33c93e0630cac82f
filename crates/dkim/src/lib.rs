//! Signs messages (DKIM, RFC 6376 and RFC 8463).
