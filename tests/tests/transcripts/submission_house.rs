//! A house whose one submission listener is what a conversation of `smtp-proto` asks for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lastpost_tests::{House, Plan};

use crate::conversation::Conversation;

/// What the files call the largest message; the least that the daemon can be told.
pub(crate) const SIZE_WRITTEN: u32 = 1000;
pub(crate) const SIZE_HERE: u32 = 64 << 10;

/// When the sessions of the files begin.
const BEGIN: &str = "2026-11-24T20:45:00Z";

/// What `~` lines ask for, as far as configuration can give it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setting {
    pub(crate) tls: &'static str,
    auth_in_clear: bool,
    auth: bool,
    lone_lf: &'static str,
    recipients_max: u32,
    errors_max: u32,
    /// Lines of `[submission.protocol]` that differ from nothing at all.
    protocol: BTreeMap<&'static str, String>,
    /// Whether `anna@example.net` is an account here. If not, mail from her comes from elsewhere.
    anna_is_here: bool,
    /// Whether the client's octets must arrive together.
    pub(crate) whole_only: bool,
}

impl Setting {
    pub(crate) fn of(conversation: &Conversation) -> Self {
        let mut setting = Self {
            tls: "none",
            auth_in_clear: false,
            auth: true,
            lone_lf: "normalise",
            recipients_max: 3,
            errors_max: 50,
            protocol: BTreeMap::new(),
            anna_is_here: !conversation.asks("by nobody")
                && !conversation.asks("after failed auth"),
            whole_only: false,
        };
        for line in &conversation.settings {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            let number = || value.parse::<u32>().unwrap();
            let mut offer = |key, value: &str| setting.protocol.insert(key, value.to_owned());
            match (key, value) {
                ("tls", _) => setting.tls = "implicit",
                ("starttls", _) => setting.tls = "starttls",
                ("auth", "never") => setting.auth = false,
                ("auth", "under-tls") => {}
                ("auth", "always") => setting.auth_in_clear = true,
                ("reject-lone-lf", _) => setting.lone_lf = "reject",
                ("recipients-max", _) => setting.recipients_max = number(),
                ("errors-max", _) => setting.errors_max = number(),
                ("smtputf8", _) => _ = offer("smtputf8", "true"),
                ("chunking", _) => _ = offer("chunking", "true"),
                ("dsn", _) => _ = offer("dsn", "true"),
                ("future-release", _) => {
                    _ = offer("future_release_max", &format!("\"{value}s\""));
                }
                ("deliver-by", "0") => _ = offer("deliver_by", "true"),
                ("require-tls", _) => _ = offer("require_tls", "true"),
                ("limits", _) => _ = offer("limits", "true"),
                ("mails-max", _) => _ = offer("mails_per_session_max", value),
                ("all-extensions", _) => {
                    for key in EXTENSIONS {
                        offer(key, "true");
                    }
                    offer("future_release_max", "\"1h\"");
                }
                ("whole-only", _) => setting.whole_only = true,
                _ => panic!("{}: {line} is beyond this driver", conversation.file),
            }
        }
        setting
    }
}

/// Extensions that are on or off.
const EXTENSIONS: [&str; 6] =
    ["smtputf8", "chunking", "dsn", "deliver_by", "require_tls", "limits"];

/// `[submission.protocol]`: what the conversation does not ask for is off.
fn protocol(setting: &Setting) -> String {
    let mut lines: BTreeMap<&str, &str> = EXTENSIONS.map(|key| (key, "false")).into();
    lines.insert("future_release_max", "\"0s\"");
    lines.extend(setting.protocol.iter().map(|(key, value)| (*key, value.as_str())));
    lines.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{key} = {value}");
        text
    })
}

/// Starts a house and gives it the setting.
pub(crate) fn start(setting: &Setting) -> House {
    let mut house = House::start(Plan { begins: BEGIN, customers: Vec::new(), ..Plan::default() });
    let write = |name: &str, text: &str| std::fs::write(house.path(name), text).unwrap();
    write("users", &users(setting, &house));
    write("lastpost.toml", &config(setting));
    house.restart();
    house
}

/// `anna`, and `ben`, whose Maildir takes what comes in.
fn users(setting: &Setting, house: &House) -> String {
    let mut users = String::new();
    let anna = if setting.anna_is_here { "anna@example.net" } else { "anna@other.example" };
    for (login, addresses) in [("anna", anna), ("ben", "ben@example.org")] {
        let cost = auth::Argon2Params::new(64, 1, 1).unwrap();
        let hash = auth::hash_new(b"secret", &cost).unwrap();
        let home = house.path("mail").join(login);
        maildrop::create(&home.join("Maildir")).unwrap();
        let (field, home) = (hash.to_field(), home.display());
        let _ = writeln!(users, "{login}:{}::::{home}::addresses={addresses}", &*field);
    }
    users
}

fn config(setting: &Setting) -> String {
    let Setting { tls, lone_lf, recipients_max, errors_max, .. } = setting;
    let networks = if setting.auth_in_clear { "\"127.0.0.0/8\"" } else { "" };
    let protocol = protocol(setting);
    let authorities = if setting.auth { "\"smtp-auth\"" } else { "" };
    format!(
        r#"hostname = "mail.example.net"
data_directory = "state"
[tls]
certificate = "certificate.pem"
key = "key.pem"
[accounts]
passwd_file = "users"
[auth]
argon2_memory_kib = 64
argon2_passes = 1
failure_delay = "0s"
failure_delay_max = "0s"
[submission]
postmaster = "ben@example.org"
message_size_max = {SIZE_HERE}
recipients_max = {recipients_max}
errors_max = {errors_max}
cleartext_auth_networks = [{networks}]
[submission.protocol]
{protocol}[[submission.listen]]
name = "submission"
address = "127.0.0.1:0"
tls = "{tls}"
authorities = [{authorities}]
receives_local_mail = true
lone_lf = "{lone_lf}"
[spool]
directory = "spool"
segment_size = "4MiB"
free_space_min = 0
[relay]
local_domains = ["example.org", "example.com"]
"#
    )
}
