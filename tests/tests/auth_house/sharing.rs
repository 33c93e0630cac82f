//! The two daemons as two processes: what fails at one counts at the other.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use lastpost_tests::{Process, Site, Talk, eventually};

use crate::kit::PATIENCE;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const ATTACKER: &str = "203.0.113.7";
const CUSTOMER: &str = "198.51.100.9";

struct Pair {
    site: Site,
    _pop3d: Process,
    submissiond: Option<Process>,
}

/// Both behind a proxy that says where clients are, and quick to block.
fn pair() -> Pair {
    let site = Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), 3);
    let file = site.installation().config_file();
    let mut text = std::fs::read_to_string(&file).unwrap();
    let ports = site.installation().ports();
    for port in [ports.pop3, ports.submission] {
        let address = format!("address = \"127.0.0.1:{port}\"\n");
        assert!(text.contains(&address), "{text}");
        text = text.replace(&address, &format!("{address}proxy_protocol = true\n"));
    }
    let proxies = "trusted_proxies = [\"127.0.0.1/32\"]\n";
    for section in ["[pop3]\n", "[submission]\n"] {
        text = text.replace(section, &format!("{section}{proxies}"));
    }
    text += "[auth]\nfailure_delay = \"0s\"\nfailure_delay_max = \"0s\"\n\
             [auth.attack]\nfailures_max = 8\n";
    std::fs::write(&file, text).unwrap();
    let submissiond = Some(start_submissiond(&site));
    let pop3d = site.start(Path::new(PROGRAM), "lastpost-pop3d", &[ports.pop3]);
    Pair { site, _pop3d: pop3d, submissiond }
}

fn start_submissiond(site: &Site) -> Process {
    let ports = site.installation().ports();
    site.start(Path::new(PROGRAM), "lastpost-submissiond", &[ports.submission, ports.control])
}

impl Pair {
    fn talk(&self, port: u16, from: &str) -> Talk {
        let mut talk = Talk::connect(self.site.at(port));
        talk.send_raw(format!("PROXY TCP4 {from} 192.0.2.1 49152 110\r\n").as_bytes());
        talk
    }

    /// The reply to a login by POP3, under TLS.
    fn pop3(&self, from: &str, login: &str, password: &str) -> String {
        let mut talk = self.talk(self.site.installation().ports().pop3, from);
        talk.expect_reply("+OK");
        talk.expect("STLS", "+OK");
        talk.start_tls();
        talk.expect(&format!("USER {login}"), "+OK");
        let reply = talk.ask(&format!("PASS {password}"));
        talk.send("QUIT");
        if reply.starts_with("+OK") {
            talk.expect_reply("+OK");
        }
        reply
    }

    /// The reply to a login for submission, under TLS.
    fn smtp(&self, from: &str, login: &str, password: &str) -> String {
        let mut talk = self.talk(self.site.installation().ports().submission, from);
        talk.expect_reply("220");
        talk.expect("EHLO customer.example", "250");
        talk.expect("STARTTLS", "220");
        talk.start_tls();
        talk.expect("EHLO customer.example", "250");
        talk.auth_plain(login, password)
    }

    /// Right passwords from `from`, at POP3 and for submission.
    fn both(&self, from: &str) -> [String; 2] {
        let account = &self.site.installation().accounts()[0];
        let (login, password) = (&account.login, &account.password);
        [self.pop3(from, login, password), self.smtp(from, login, password)]
    }

    fn wait_for_welcome(&self, from: &str, what: &str) {
        eventually(PATIENCE, what, || are(&self.both(from), WELCOME));
    }

    /// Waits by trying one wrong password over and over: that counts once and no more, and no
    /// customer is known to be there by it.
    fn wait_for_block(&self, from: &str, what: &str) {
        let login = &self.site.installation().accounts()[1].login;
        eventually(PATIENCE, what, || {
            are(&[self.pop3(from, login, "probe"), self.smtp(from, login, "probe")], BLOCKED)
        });
        assert!(are(&self.both(from), BLOCKED), "a right password makes no difference");
    }

    fn unblock(&self, network: &str) -> String {
        let output = Command::new(PROGRAM)
            .args(["auth", "unblock", network, "--config"])
            .arg(self.site.installation().config_file())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn are(replies: &[String; 2], begins: [&str; 2]) -> bool {
    replies.iter().zip(begins).all(|(reply, begin)| reply.starts_with(begin))
}

const BLOCKED: [&str; 2] = ["-ERR [SYS/TEMP]", "454 4.7.0"];
const WELCOME: [&str; 2] = ["+OK", "235"];

#[test]
fn a_block_of_one_daemon_holds_at_the_other_until_it_is_lifted() {
    let mut pair = pair();
    let nobody = |number: u32| format!("nobody{number}@open.example");
    // Earned at POP3.
    for number in 0..12 {
        pair.pop3(ATTACKER, &nobody(number), "guess");
    }
    pair.wait_for_block(ATTACKER, "the block at both daemons");
    pair.wait_for_welcome(CUSTOMER, "the customer's logins");
    // One that starts hears of it.
    pair.submissiond.take().unwrap().kill_9();
    pair.submissiond = Some(start_submissiond(&pair.site));
    pair.wait_for_block(ATTACKER, "the block after a restart");
    // Lifted at the one that the command asks.
    let said = pair.unblock(ATTACKER);
    assert!(said.contains("203.0.113.7/32 is not blocked any more"), "{said}");
    pair.wait_for_welcome(ATTACKER, "the end of the block at both");

    // The other way round; it is another address, for this one is a customer's now.
    let other = "203.0.113.99";
    for number in 0..12 {
        pair.smtp(other, &nobody(number), "guess");
    }
    pair.wait_for_block(other, "the block at both daemons");
    pair.unblock("203.0.113.0/24");
    pair.wait_for_welcome(other, "the end of the block at both");
}
