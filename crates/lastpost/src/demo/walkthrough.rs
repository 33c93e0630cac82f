//! The lines to paste, and what each of them shows.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::installation::{DemoAccount, Installation};

const TITLE: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();
const FAINT: Style = Style::new().dimmed();

/// One line to paste.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What it is about.
    pub title: String,
    /// The line for a shell.
    pub command: String,
    /// A part of what it prints.
    pub expect: String,
}

pub(crate) fn step(title: &str, command: String, expect: &str) -> Step {
    Step { title: title.to_owned(), command, expect: expect.to_owned() }
}

/// The walk-through of `installation`, in order.
#[must_use]
pub(super) fn steps(installation: &Installation) -> Vec<Step> {
    let lines = Lines { installation };
    let open = installation.in_cohort("open");
    #[allow(unused_mut, reason = "the bridge's part goes away with it")]
    let mut steps = vec![
        step("What lies in Olivia's maildrop?", lines.pop3(open, ""), "1 "),
        step("Fetch the Japanese one, as any mail program does.", lines.pop3(open, "3"), "紅葉"),
    ];
    #[cfg(feature = "pop-before-smtp")] // retire
    steps.extend(crate::bridge::demo_steps(installation, &lines)); // retire
    let closed = installation.in_cohort("closed");
    steps.push(step(
        "Clara sends with her password on port 587: at any time, from anywhere.",
        lines.authenticated(closed),
        "250 2.0.0",
    ));
    steps.push(step(
        "A wrong password is nobody's.",
        format!(
            "curl -sS --max-time 30 --url pop3://127.0.0.1:{}/ --user '{}:wrong'",
            installation.ports().pop3,
            closed.login
        ),
        "denied",
    ));
    steps.push(step("What waits in the queue?", lines.lastpost("queue list"), "ID"));
    steps.push(step("How are the daemons?", lines.lastpost("status"), "pop3"));
    steps
}

/// Makes the lines.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    installation: &'a Installation,
}

impl Lines<'_> {
    /// curl fetches by POP3.
    pub(crate) fn pop3(&self, account: &DemoAccount, message: &str) -> String {
        format!(
            "curl -sS --url pop3://127.0.0.1:{}/{message} --user '{}:{}'",
            self.installation.ports().pop3,
            account.login,
            account.password
        )
    }

    /// curl sends with a password on 587, under TLS.
    pub(crate) fn authenticated(&self, account: &DemoAccount) -> String {
        format!(
            "curl -sS -v --url smtp://localhost:{} --ssl-reqd --cacert {} --user '{}:{}' \
             --mail-from {} --mail-rcpt friend@elsewhere.example --upload-file {} 2>&1 | grep '^<'",
            self.installation.ports().submission,
            self.installation.certificate_file().display(),
            account.login,
            account.password,
            account.addresses[0],
            self.installation.letter_file(account).display()
        )
    }

    /// A command of this program about this installation.
    pub(crate) fn lastpost(&self, words: &str) -> String {
        let program = std::env::current_exe()
            .map_or_else(|_| "lastpost".to_owned(), |path| path.display().to_string());
        format!("{program} {words} --config {}", self.installation.config_file().display())
    }
}

/// Prints the walk-through for a person.
pub(super) fn print(installation: &Installation, steps: &[Step]) {
    let ports = installation.ports();
    anstream::println!(
        "\n{TITLE}Lastpost is running.{TITLE:#} Everything lies in {}\n\
         {FAINT}POP3 {} (TLS {}) · legacy {} · submission {} (TLS {}) · control {}{FAINT:#}\n",
        installation.directory().display(),
        ports.pop3,
        ports.pop3s,
        ports.legacy,
        ports.submission,
        ports.submissions,
        ports.control,
    );
    anstream::println!("Paste these into another terminal, one after the other:\n");
    for (number, step) in steps.iter().enumerate() {
        anstream::println!("{TITLE}{}. {}{TITLE:#}", number + 1, step.title);
        anstream::println!("{COMMAND}{}{COMMAND:#}\n", step.command);
    }
    anstream::println!("{FAINT}Ctrl-C ends the demo. What happens meanwhile:{FAINT:#}\n");
}
