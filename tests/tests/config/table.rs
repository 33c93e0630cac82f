//! The good configuration, and one mistake after the other in it.

/// From the certificates to the first listener that needs them.
const TLS_TO_POP3: &str = r#"[tls]
certificate = "certificate.pem"
key = "key.pem"

[accounts]
passwd_file = "users"
default_domain = "example.net"

[auth]
argon2_memory_kib = 19456
shared_networks = ["192.0.2.0/24"]

[pop3]
autologout = "10m"
sessions_max = 500
errors_max = 3
[[pop3.listen]]
address = "127.0.0.1:1110""#;
const WITHOUT_TLS: &str = r#"[accounts]
passwd_file = "users"
default_domain = "example.net"

[auth]
argon2_memory_kib = 19456
shared_networks = ["192.0.2.0/24"]

[pop3]
autologout = "10m"
sessions_max = 500
errors_max = 3
§[[pop3.listen]]
address = "127.0.0.1:1110""#;

/// What is changed in the good configuration, and what must be said.
pub(crate) struct Case {
    /// A part of [`GOOD`].
    pub(crate) from: &'static str,
    /// What stands there instead; `§` marks the place that must be named.
    pub(crate) to: &'static str,
    pub(crate) says: &'static [&'static str],
}

const fn case(from: &'static str, to: &'static str, says: &'static [&'static str]) -> Case {
    Case { from, to, says }
}

pub(crate) const GOOD: &str = r#"hostname = "mail.example.net"
data_directory = "state"

[tls]
certificate = "certificate.pem"
key = "key.pem"

[accounts]
passwd_file = "users"
default_domain = "example.net"

[auth]
argon2_memory_kib = 19456
shared_networks = ["192.0.2.0/24"]

[pop3]
autologout = "10m"
sessions_max = 500
errors_max = 3
[[pop3.listen]]
address = "127.0.0.1:1110"
[[pop3.listen]]
address = "127.0.0.1:1995"
tls = "implicit"

[submission]
recipients_max = 100
[[submission.listen]]
name = "legacy"
address = "127.0.0.1:1025"
authorities = ["smtp-auth"]
lone_lf = "reject"
[[submission.listen]]
name = "submission"
address = "127.0.0.1:1587"

[spool]
directory = "spool"
segment_size = "64MiB"

[relay]
local_domains = ["example.net"]
expire_after = "5d"
report_language = "en"
[relay.next_hop]
address = "smtp-out.example.net:25"
tls = "opportunistic"

[control]
listen = "127.0.0.1:8110"

[log]
format = "text"
filter = "info"
"#;

#[rustfmt::skip]
pub(crate) const TABLE: &[Case] = &[
    // Headers and keys.
    case("[log]", "[submission.header]\nhops_max = §5\n\n[log]", &["submission.header.hops_max", "10 to 1000"]),
    case("[log]", "[submission.header]\nclient = §\"hide\"\n\n[log]", &["submission.header.client", "did you mean `hidden`?"]),
    case("[log]", "[dkim]\noversign = §[\"To\"]\n\n[log]", &["dkim.oversign", "From is missing"]),
    case("[log]", "[[dkim.key]]\ndomain = \"example.net\"\nselector = §\"a b\"\nfile = \"x\"\n\n[log]", &["dkim.key[0].selector", "is no selector"]),
    // Hops and routes.
    case("[control]", "[[relay.hop]]\nname = \"a\"\naddress = §\"a b\"\n\n[control]", &["relay.hop[0].address", "host:port"]),
    case("[control]", "[[relay.hop]]\nname = \"a\"\naddress = \"b\"\nrate = §\"fast\"\n\n[control]", &["relay.hop", "\"600/m\""]),
    case("[control]", "[[relay.hop]]\nname = \"a\"\naddress = \"b\"\nlogin = { username = §\"u\" }\n\n[control]", &["relay.hop[0].login.username", "password_file or"]),
    case("[control]", "[[relay.route]]\ndomains = [\"*\"]\nhops = §\"away\"\n\n[control]", &["relay.route[0].hops", "is its section missing?", "next_hop"]),
    case("[control]", "[[relay.route]]\ndomains = §[\"a.example\", \"A.example\"]\nhops = \"mx\"\n\n[control]", &["relay.route[0].domains", "remove one"]),
    case("[control]", "[[relay.route]]\n§domain = [\"*\"]\n\n[control]", &["relay.route", "did you mean `domains`?"]),
    // Mail exchangers.
    case("[control]", "[relay.mx]\ndnssec = §\"validat\"\n\n[control]", &["relay.mx.dnssec", "did you mean `validate`?"]),
    case("[control]", "[relay.mx]\nservers = §[\"dns.example\"]\n\n[control]", &["relay.mx.servers[0]", "127.0.0.1"]),
    case("[control]", "[relay.mx]\ntimeout = §\"5\"\n\n[control]", &["relay.mx.timeout", "\"5s\""]),
    case("[control]", "[relay.mx]\nhosts_max = §0\n\n[control]", &["relay.mx.hosts_max", "1 to 50"]),
    case("[control]", "[relay.mx]\n§port_ = 25\n\n[control]", &["relay.mx", "did you mean `port`?"]),
    // Limits.
    case("[log]", "[limits]\n§accounts = {}\n\n[log]", &["limits", "did you mean `account`?"]),
    case("[log]", "[limits.account]\nmessages_per_hour = §\"many\"\n\n[log]", &["limits.account.messages_per_hour", "most = 200"]),
    case("[log]", "[limits.account]\naction = §\"suspent\"\n\n[log]", &["limits.account.action", "did you mean `suspend`?"]),
    case("[log]", "[limits]\n[limits.address]\n§messages_per_hour = { most = 1, action = \"suspend\" }\n\n[log]", &["limits.address.messages_per_hour", "\"hold\""]),
    case("[log]", "[limits]\nlisteners = { legacy = §\"smal\" }\n\n[log]", &["limits.listeners.legacy", "[limits.profile.smal]"]),
    case("[log]", "[limits]\nshared = §\"redis://:pw@192.0.2.1/0\"\n\n[log]", &["limits.shared", "shared_password_file"]),
    case("[log]", "[auth.share]\nurl = §\"redis://:pw@192.0.2.1/0\"\n\n[log]", &["auth.share.url", "auth.share.password_file"]),
    case("[log]", "[auth.attack]\nblock = §\"48h\"\n\n[log]", &["auth.attack.block", "at most auth.attack.block_max"]),
    case("[log]", "[auth.attack]\naccounts_max = §200\n\n[log]", &["auth.attack.accounts_max", "at most 400 when multiplied"]),
    // Names that are nearly right.
    case("hostname =", "§hostnmae =", &["unknown field `hostnmae`", "did you mean `hostname`?"]),
    case("[accounts]", "[§acounts]", &["unknown field `acounts`", "did you mean `accounts`?"]),
    case("certificate =", "§certficate =", &["tls", "did you mean `certificate`?"]),
    case("default_domain =", "§default-domain =", &["accounts", "did you mean `default_domain`?"]),
    case("argon2_memory_kib =", "§argon2_memory =", &["auth", "did you mean `argon2_memory_kib`?"]),
    case("autologout =", "§autologuot =", &["pop3", "did you mean `autologout`?"]),
    case("address = \"127.0.0.1:1995\"", "§adress = \"127.0.0.1:1995\"", &["pop3.listen", "did you mean `address`?"]),
    case("authorities =", "§authorites =", &["submission.listen", "did you mean `authorities`?"]),
    case("segment_size =", "§segement_size =", &["spool", "did you mean `segment_size`?"]),
    case("local_domains =", "§local_domain =", &["relay", "did you mean `local_domains`?"]),
    case("tls = \"opportunistic\"", "§tsl = \"opportunistic\"", &["relay.next_hop", "did you mean `tls`?"]),
    case("listen = \"127.0.0.1:8110\"", "§listn = \"127.0.0.1:8110\"", &["control", "did you mean `listen`?"]),
    case("filter =", "§filtre =", &["log", "did you mean `filter`?"]),
    case("format = \"text\"", "format = §\"jsno\"", &["log.format", "unknown variant `jsno`", "did you mean `json`?"]),
    case("tls = \"implicit\"", "tls = §\"implict\"", &["pop3.listen", "did you mean `implicit`?"]),
    case("lone_lf = \"reject\"", "lone_lf = §\"rejct\"", &["submission.listen", "did you mean `reject`?"]),
    case("tls = \"opportunistic\"", "tls = §\"requird\"", &["relay.next_hop.tls", "did you mean `required`?"]),
    case("report_language = \"en\"", "report_language = §\"de\"", &["relay.report_language", "`en`", "`ja`"]),
    // Nothing is near: no advice.
    case("recipients_max =", "§zebra =", &["submission", "unknown field `zebra`, expected one of", "`recipients_max`"]),
    // Values of the wrong kind.
    case("hostname = \"mail.example.net\"", "hostname = §5", &["hostname", "expected a string"]),
    case("sessions_max = 500", "sessions_max = §\"many\"", &["pop3.sessions_max", "invalid type", "expected"]),
    case("recipients_max = 100", "recipients_max = §-1", &["submission.recipients_max", "expected u32"]),
    case("errors_max = 3", "errors_max = §300", &["pop3.errors_max", "expected u8"]),
    case("autologout = \"10m\"", "autologout = §\"soon\"", &["pop3.autologout"]),
    case("expire_after = \"5d\"", "expire_after = §\"5 days\"", &["relay.expire_after", "\"15m\"", "\"5d\""]),
    case("segment_size = \"64MiB\"", "segment_size = §\"12 apples\"", &["spool.segment_size", "\"64MiB\""]),
    case("address = \"127.0.0.1:1110\"", "address = §\"127.0.0.1\"", &["pop3.listen", "address"]),
    case("address = \"127.0.0.1:1587\"", "address = §\"127.0.0.1:70000\"", &["submission.listen", "address"]),
    case("shared_networks = [\"192.0.2.0/24\"]", "shared_networks = [§\"192.0.2.0/33\"]", &["auth.shared_networks"]),
    case("authorities = [\"smtp-auth\"]", "authorities = §\"smtp-auth\"", &["authorities", "expected a sequence"]),
    // Values out of range.
    case("hostname = \"mail.example.net\"", "hostname = §\"mail\"", &["hostname", "full name"]),
    case("autologout = \"10m\"", "autologout = §\"5m\"", &["pop3.autologout", "out of range", "\"10m\" (RFC 1939)"]),
    case("sessions_max = 500", "sessions_max = §0", &["pop3.sessions_max", "1 or more"]),
    case("recipients_max = 100", "recipients_max = §0", &["submission.recipients_max", "1 to 10000"]),
    case("segment_size = \"64MiB\"", "segment_size = §\"2GiB\"", &["spool.segment_size", "2GiB", "1MiB to 1GiB"]),
    case("expire_after = \"5d\"", "expire_after = §\"1s\"", &["relay.expire_after", "1m to 60d"]),
    case("[auth]\nargon2_memory_kib = 19456", "[§auth]\nargon2_memory_kib = 1", &["auth.argon2_memory_kib", "19456"]),
    case("default_domain = \"example.net\"", "default_domain = §\"example net\"", &["accounts.default_domain", "domain name such as"]),
    case("default_domain = \"example.net\"", "maildir = §\"%x/Maildir\"", &["accounts.maildir", "unknown variable %x", "%h/Maildir"]),
    case("local_domains = [\"example.net\"]", "local_domains = §[\"a b\"]", &["relay.local_domains", "domains such as"]),
    case("expire_after = \"5d\"", "retry = §[]", &["relay.retry", "at least one period"]),
    case("address = \"smtp-out.example.net:25\"", "address = §\":25\"", &["relay.next_hop.address", "host:port"]),
    case("name = \"legacy\"", "name = §\"Legacy Port\"", &["submission.listen[0].name", "lower-case letters"]),
    case("listen = \"127.0.0.1:8110\"", "listen = §\"192.0.2.1:8110\"", &["control.listen", "loopback"]),
    // Values that do not go together.
    case("name = \"submission\"", "name = §\"legacy\"", &["submission.listen[1].name", "a name of its own"]),
    case("address = \"127.0.0.1:1587\"", "address = §\"127.0.0.1:1025\"", &["submission.listen[1].address", "of its own"]),
    case("authorities = [\"smtp-auth\"]", "authorities = §[]", &["submission.listen[0].authorities", "nobody could send", "smtp-auth"]),
    case("authorities = [\"smtp-auth\"]", "authorities = §[\"other\", \"smtp-auth\"]", &["submission.listen[0].authorities", "\"smtp-auth\" first"]),
    case("lone_lf = \"reject\"", "proxy_protocol = §true", &["submission.listen[0].proxy_protocol", "trusted_proxies"]),
    case("lone_lf = \"reject\"", "filters = §[\"rspamdd\"]", &["submission.listen[0].filters", "rspamdd", "[[filter.milter]]"]),
    case("lone_lf = \"reject\"", "xclient_login = §true", &["submission.listen[0].xclient_login", "xclient_networks"]),
    case("lone_lf = \"reject\"", "recipients_max = §101", &["submission.listen[0].recipients_max", "which is 100"]),
    case("recipients_max = 100\n", "recipients_max = 100\n[submission.protocol]\nxclient_networks = §[\"::/0\"]\n", &["submission.protocol.xclient_networks", "everybody"]),
    case("recipients_max = 100\n", "recipients_max = 100\n[submission.protocol]\nfuture_release_max = §\"9000h\"\n", &["submission.protocol.future_release_max", "8784h"]),
    case("tls = \"opportunistic\"", "username = §\"relay\"", &["relay.next_hop.username", "password_file or password_env"]),
    case("tls = \"opportunistic\"", "username = \"relay\"\npassword_file = §\"no-such-file\"", &["relay.next_hop.password_file", "no-such-file", "No such file"]),
    case("tls = \"opportunistic\"", "username = \"relay\"\npassword_file = §\"empty\"", &["relay.next_hop.password_file", "the file is empty"]),
    case("tls = \"opportunistic\"", "username = \"relay\"\npassword_file = \"password\"\ntls = §\"none\"", &["relay.next_hop.tls", "cleartext_login = true"]),
    case(TLS_TO_POP3, WITHOUT_TLS, &["pop3.listen", "no [tls] section", "tls = \"none\""]),
    // Files that are named and are not what they should be.
    case("[tls]\ncertificate = \"certificate.pem\"", "[§tls]\ncertificate = \"no-such.pem\"", &["tls", "no-such.pem", "No such file"]),
    case("[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"", "[§tls]\ncertificate = \"certificate.pem\"\nkey = \"other-key.pem\"", &["tls", "other-key.pem"]),
    case("[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"", "[§tls]\ncertificate = \"certificate.pem\"\nkey = \"users\"", &["tls", "users"]),
    case("passwd_file = \"users\"", "passwd_file = §\"no-such-file\"", &["accounts.passwd_file", "no-such-file", "No such file"]),
    // TOML itself.
    case("[pop3]", "[pop3§", &["]"]),
    case("hostname = \"mail.example.net\"", "hostname = \"mail.example.net§", &["string"]),
    case("errors_max = 3", "errors_max = 3\n§errors_max = 3", &["duplicate key"]),
    case("sessions_max = 500", "sessions_max = §", &["value"]),
    // Ports that are wanted twice.
    case("[[pop3.listen]]\naddress = \"127.0.0.1:1110\"", "[[pop3.listen]]\naddress = §\"127.0.0.1:1025\"", &["pop3.listen", "127.0.0.1:1025"]),
];

/// What a start would stumble over, although each value is good for itself.
#[rustfmt::skip]
pub(crate) const AT_START: &[Case] = &[
    case("[log]", "[[dkim.key]]\ndomain = \"example.net\"\nselector = \"s1\"\nfile = §\"missing.pem\"\n\n[log]", &["dkim.key[0].file", "missing.pem: cannot read the key: No such file"]),
    case("[log]", "[[dkim.key]]\ndomain = \"example.net\"\nselector = \"s1\"\nfile = §\"key.pem\"\n\n[log]", &["dkim.key[0].file", "expected one private key in PEM"]),
    case("[log]", "[submission.header]\nclient = \"token\"\nclient_key_file = §\"password\"\n\n[log]", &["submission.header.client_key_file", "expected 32 to 4096 random ones"]),
    case("filter = \"info\"", "filter = §\"lastpost=loud\"", &["log.filter", "lastpost=loud"]),
    case("authorities = [\"smtp-auth\"]", "authorities = §[\"smtp-auth\", \"smtp-atuh\"]", &["submission.listen[0].authorities", "smtp-atuh", "smtp-auth"]),
    case("listen = \"127.0.0.1:8110\"", "listen = §\"127.0.0.1:1025\"", &["control.listen", "127.0.0.1:1025"]),
];

/// Mistakes in the second of two listeners.
#[rustfmt::skip]
pub(crate) const IN_THE_SECOND: &[Case] = &[
    case("address = \"127.0.0.1:1995\"", "address = §\"127.0.0.1:1110\"", &["pop3.listen", "127.0.0.1:1110"]),
    case("[[pop3.listen]]\naddress = \"127.0.0.1:1995\"", "[[pop3.listen]]\naddress = §\"127.0.0.1:1025\"", &["pop3.listen", "127.0.0.1:1025"]),
    case("address = \"127.0.0.1:1587\"", "proxy_protocol = §true\naddress = \"127.0.0.1:1587\"", &["submission.listen[1].proxy_protocol"]),
];
