//! A POP3 session as bytes in, actions and replies out (RFC 1939, 2449, 2595, 5034).
