//! How much an account or an address may send.
