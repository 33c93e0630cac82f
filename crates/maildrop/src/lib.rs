//! A Maildir seen as an RFC 1939 maildrop: lock, scan, UIDL, retrieve, update.
