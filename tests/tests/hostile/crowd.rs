//! Five hundred at once: each is served, or told politely that there is no room.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use lastpost_tests::{House, Plan, Process, Site, Talk, eventually};

use crate::kit::{HERE, LOGIN, is_pop3, is_reply, noise};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_lastpost-under-test");
const CROWD: usize = 500;
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon in a process of its own, which has its own descriptors and its own memory.
pub(crate) struct Daemon {
    pub(crate) site: Site,
    pub(crate) process: Process,
    addresses: HashMap<String, SocketAddr>,
}

impl Daemon {
    /// Starts one on ports of the system's choice, which its log tells.
    pub(crate) fn start() -> Self {
        Self::start_on(Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), 3))
    }

    fn start_on(site: Site) -> Self {
        let file = site.installation().config_file();
        let ports = site.installation().ports();
        let all = [
            ports.pop3,
            ports.pop3s,
            ports.legacy,
            ports.submission,
            ports.submissions,
            ports.control,
        ];
        let fixed = std::fs::read_to_string(&file).unwrap();
        let free = all.iter().fold(fixed, |text, port| {
            text.replace(&format!("\"127.0.0.1:{port}\""), "\"127.0.0.1:0\"")
        });
        // Guessing is slowed down, and these tests are about something else.
        let quick = "[auth]\nfailure_delay = \"0s\"\nfailure_delay_max = \"0s\"\n[accounts]";
        std::fs::write(&file, free.replace("[accounts]", quick)).unwrap();
        let process = site.start(Path::new(PROGRAM), "lastpost", &[]);
        let mut addresses = HashMap::new();
        eventually(PATIENCE, "the daemon to listen", || {
            addresses = process.log().lines().filter_map(listening).collect();
            addresses.len() == all.len()
        });
        Self { site, process, addresses }
    }

    pub(crate) fn at(&self, listener: &str) -> SocketAddr {
        self.addresses[listener]
    }

    /// A POP3 session of the first account, which others must not disturb.
    pub(crate) fn logged_in(&self) -> Talk {
        let account = &self.site.installation().accounts()[0];
        let mut talk = Talk::connect(self.at("pop3"));
        talk.expect_reply("+OK");
        talk.expect(&format!("USER {}", account.login), "+OK");
        talk.expect(&format!("PASS {}", account.password), "+OK");
        talk
    }
}

/// Name and address of a listener, if the line tells them.
fn listening(line: &str) -> Option<(String, SocketAddr)> {
    let (name, address) = line.split_once("listening name=\"")?.1.split_once("\" address=")?;
    Some((name.to_owned(), address.trim().parse().ok()?))
}

/// One of a crowd: a socket and no more.
struct Visitor(TcpStream);

impl Visitor {
    fn connect(to: SocketAddr) -> Self {
        let socket = TcpStream::connect_timeout(&to, PATIENCE).expect("connections are accepted");
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn send(&mut self, octets: &[u8]) {
        // Whoever is refused cannot be written to.
        let _ = self.0.write_all(octets);
    }

    /// All that was said until the daemon closed.
    fn rest(mut self) -> Vec<u8> {
        let mut said = Vec::new();
        match self.0.read_to_end(&mut said) {
            Ok(_) => {}
            // Closed with something unread, as noise is.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("neither served nor closed: {error}"),
        }
        said
    }
}

/// All connect before the first of them is served to the end.
#[test]
fn five_hundred_customers_at_once_are_all_served() {
    let daemon = Daemon::start();
    let mut good = daemon.logged_in();
    for (listener, dialogue, farewell) in [
        ("pop3", "CAPA\r\nUSER nobody\r\nNOOP\r\nQUIT\r\n", "+OK"),
        ("legacy", "EHLO x.example\r\nNOOP\r\nVRFY x\r\nQUIT\r\n", "221 "),
        ("submission", "EHLO x.example\r\nNOOP\r\nVRFY x\r\nQUIT\r\n", "221 "),
    ] {
        let mut crowd: Vec<Visitor> =
            (0..CROWD).map(|_| Visitor::connect(daemon.at(listener))).collect();
        good.expect("NOOP", "+OK");
        for visitor in &mut crowd {
            visitor.send(dialogue.as_bytes());
        }
        good.expect("NOOP", "+OK");
        for (number, visitor) in crowd.into_iter().enumerate() {
            let said = String::from_utf8(visitor.rest()).expect("replies are text");
            let last = said.lines().last().unwrap_or_default();
            assert!(last.starts_with(farewell), "{listener} {number}: {said}");
            let served = said.lines().count();
            assert!(served >= 5, "{listener} {number}: {said}");
        }
        good.expect("NOOP", "+OK");
    }
    good.expect("QUIT", "+OK");
}

/// Adds accounts with the first one's password, each with a message that names it.
fn populate(site: &Site) -> Vec<String> {
    let installation = site.installation();
    let users = installation.directory().join("users");
    let mut table = std::fs::read_to_string(&users).unwrap();
    let first = &installation.accounts()[0].login;
    let line = table.lines().find(|line| line.starts_with(&format!("{first}:"))).unwrap();
    let hash = line.split(':').nth(1).unwrap().to_owned();
    let mut logins = Vec::new();
    for number in 0..CROWD {
        let login = format!("crowd{number}@open.example");
        let home = installation.directory().join("mail/crowd").join(number.to_string());
        for folder in ["new", "cur", "tmp"] {
            std::fs::create_dir_all(home.join("Maildir").join(folder)).unwrap();
        }
        let message = format!("From: <x@y.example>\nTo: <{login}>\n\nhello\n");
        std::fs::write(home.join("Maildir/new/1.crowd"), message).unwrap();
        table += &format!("{login}:{hash}::::{}::\n", home.display());
        logins.push(login);
    }
    std::fs::write(users, table).unwrap();
    logins
}

/// Five hundred accounts log in at the same moment: each reads its own mail, or that it should come
/// again; nobody reads that the password is wrong.
#[test]
fn five_hundred_logins_at_once_are_served_or_put_off() {
    let site = Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), 3);
    let logins = populate(&site);
    let daemon = Daemon::start_on(site);
    let mut good = daemon.logged_in();
    let password = &daemon.site.installation().accounts()[0].password;
    let mut crowd: Vec<Visitor> =
        logins.iter().map(|_| Visitor::connect(daemon.at("pop3"))).collect();
    for (visitor, login) in crowd.iter_mut().zip(&logins) {
        let dialogue = format!("USER {login}\r\nPASS {password}\r\nRETR 1\r\nQUIT\r\n");
        visitor.send(dialogue.as_bytes());
    }
    good.expect("NOOP", "+OK");
    let mut served = 0;
    for (visitor, login) in crowd.into_iter().zip(&logins) {
        let said = String::from_utf8(visitor.rest()).expect("replies are text");
        let answer = said.lines().nth(2).unwrap_or_default();
        if answer.starts_with("+OK") {
            let its_own = said.contains(&format!("\r\nTo: <{login}>\r\n\r\nhello\r\n.\r\n"));
            assert!(its_own, "{login} reads\n{said}");
            served += 1;
        } else {
            assert!(answer.starts_with("-ERR [SYS/TEMP]"), "{login}: {said}");
        }
        assert!(said.ends_with("+OK Bye\r\n"), "{login}: {said}");
    }
    assert!(served >= CROWD / 2, "{served} of {CROWD} were served");
    good.expect("QUIT", "+OK");
}

/// A mixed crowd on all ports: noise, half a handshake, silence, wrong passwords, good sessions.
#[test]
fn five_hundred_of_all_kinds_leave_the_good_ones_alone() {
    let daemon = Daemon::start();
    let mut good = daemon.logged_in();
    let listeners = ["pop3", "pop3s", "legacy", "submission", "submissions"];
    let mut crowd: Vec<(&str, Visitor)> = (0..CROWD)
        .map(|number| listeners[number % 5])
        .map(|listener| (listener, Visitor::connect(daemon.at(listener))))
        .collect();
    for (number, (listener, visitor)) in crowd.iter_mut().enumerate() {
        match number / 5 % 5 {
            0 => visitor.send(&noise(number as u64, 10_000)),
            1 => visitor.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            2 if is_pop3(listener) => visitor.send(b"USER x\r\nPASS y\r\n"),
            2 => visitor.send(b"EHLO x\r\nMAIL FROM:<x@y.example>\r\n"),
            3 => visitor.send(&vec![b'A'; 20_000]),
            _ => {}
        }
        if number % 50 == 0 {
            good.expect("NOOP", "+OK");
        }
    }
    good.expect("STAT", "+OK");
    for (number, (listener, visitor)) in crowd.into_iter().enumerate() {
        visitor.0.shutdown(Shutdown::Write).ok();
        let said = visitor.rest();
        if listener.ends_with('s') {
            // An alert, or nothing.
            assert!(!said.starts_with(b"+OK") && !said.starts_with(b"220"), "{listener} {number}");
            continue;
        }
        let said = String::from_utf8(said).expect("replies are text");
        assert!(said.starts_with(if is_pop3(listener) { "+OK " } else { "220 " }), "{said}");
        for line in said.lines() {
            assert!(is_reply(listener, line), "{listener} {number}: {line:?}");
        }
    }
    good.expect("QUIT", "+OK");
}

/// Beyond the limit a client reads why it is turned away, and those inside stay.
#[test]
fn a_crowd_beyond_the_limit_is_turned_away_politely() {
    let house = House::start(Plan {
        pop3: "sessions_max = 40\nsessions_per_ip_max = 30\n",
        submission: "sessions_max = 40\nsessions_per_ip_max = 30\n",
        ..Plan::default()
    });
    for (listener, greeting, busy, farewell) in
        [("pop3", "+OK ", "-ERR [SYS/TEMP] ", "+OK"), ("legacy", "220 ", "421 4.3.2 ", "221")]
    {
        let mut inside: Vec<Talk> = (0..30).map(|_| house.client(listener, HERE)).collect();
        for _ in 0..100 {
            let mut talk = Talk::connect(house.address(listener));
            talk.expect_reply(busy);
            assert!(talk.is_closed());
        }
        // Elsewhere there is room, until there is none at all.
        let neighbour = std::net::IpAddr::from([127, 0, 0, 9]);
        inside.extend((0..10).map(|_| house.client(listener, neighbour)));
        let mut talk = Talk::connect_from(house.address(listener), neighbour);
        talk.expect_reply(busy);
        for mut talk in inside {
            talk.expect("QUIT", farewell);
        }
        // Room again, as soon as they have gone.
        eventually(PATIENCE, "room", || {
            let mut talk = Talk::connect(house.address(listener));
            let reply = talk.reply();
            assert!(reply.starts_with(greeting) || reply.starts_with(busy), "{reply}");
            reply.starts_with(greeting)
        });
    }
    house.fetch(LOGIN, HERE);
}
