//! The whole house and its accounts.
use lastpost_tests as _;
