//! An observer of logins that remembers what it was told.

use std::sync::Mutex;

use auth::{Answer, Login, LoginObserver};

/// What it was told, a line for each login.
#[derive(Default)]
pub(crate) struct Counting(pub(crate) Mutex<Vec<String>>);

impl Counting {
    pub(crate) fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl LoginObserver for Counting {
    fn on_login<'a>(&'a self, login: &'a Login) -> Answer<'a, ()> {
        Box::pin(async move {
            let line = format!("{} {} {}", login.account.key(), login.client, login.channel.tls);
            self.0.lock().unwrap().push(line);
        })
    }
}
