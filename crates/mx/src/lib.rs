//! Where mail for a domain goes, and how its host proves itself: MX, DANE (RFC 7672), MTA-STS (RFC 8461).
