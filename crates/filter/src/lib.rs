//! Asks milters and policy services about a message.
