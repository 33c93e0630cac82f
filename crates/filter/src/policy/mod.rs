//! Postfix' policy delegation, from the mail server's side: attributes out, an action back.
//!
//! A request is lines `name=value` and a blank line; the answer is `action=…` and a blank line.

mod action;
mod request;
mod service;

pub(crate) use action::Action;
pub(crate) use request::{Question, Subject};
pub(crate) use service::Policy;
