//! Python's poplib: reads lines of at most 2048 octets, and is inside many programs.

use std::process::Command;

use lastpost_tests::House;

use crate::kit::{
    AIKO, Way, assert_same_messages, attempt, crlf, files, folder, has_module, house, left, letter,
    letters, run, said,
};

/// Logs in as `way` says; then the body, with `pop` and `out`.
const FRAME: &str = r#"
import poplib, ssl, sys
way, port, user, password, cert, out = sys.argv[1:]
context = ssl.create_default_context(cafile=cert)
if way == 'tls':
    pop = poplib.POP3_SSL('localhost', int(port), context=context, timeout=60)
else:
    pop = poplib.POP3('localhost', int(port), timeout=60)
    if way == 'stls':
        pop.stls(context)
pop.user(user)
pop.pass_(password)
"#;

fn python(house: &House, way: Way, body: &str) -> Command {
    let mut python = Command::new("python3");
    python.arg("-c").arg(format!("{FRAME}{body}"));
    python.arg(match way {
        Way::Clear => "clear",
        Way::Stls => "stls",
        Way::Tls => "tls",
    });
    python.arg(way.port(house).to_string()).arg(AIKO).arg(house.customer(AIKO).password);
    python.arg(house.path("certificate.pem")).arg(folder(house, "fetched"));
    python
}

const FETCH: &str = r#"
count, octets = pop.stat()
sizes = [int(line.split()[1]) for line in pop.list()[1]]
assert len(sizes) == count and sum(sizes) == octets, (sizes, count, octets)
ids = [line.split()[1] for line in pop.uidl()[1]]
assert len(set(ids)) == count
for number in range(1, count + 1):
    text = b''.join(line + b'\r\n' for line in pop.retr(number)[1])
    assert len(text) == sizes[number - 1], number
    open(f'{out}/{number}', 'wb').write(text)
    header = pop.top(number, 0)[1]
    assert header[-1] == b'' and header.count(b'') == 1, header
    pop.dele(number)
assert pop.stat() == (0, 0)
assert 'UIDL' in pop.capa()
pop.quit()
"#;

fn is_there() -> bool {
    has_module("python3", &["-c", "import poplib, ssl"])
}

#[test]
fn fetches_every_octet_and_deletes() {
    if !is_there() {
        return;
    }
    for way in Way::ALL {
        let house = house();
        run(&mut python(&house, way, FETCH));
        let expected = letters().iter().map(|letter| crlf(letter)).collect();
        assert_same_messages(files(&house.path("fetched")), expected);
        assert_eq!(left(&house), 0, "{way:?}");
    }
}

/// A message with a longer line is the library's limit and not the session's end; whatever we say
/// ourselves is far below it.
#[test]
fn its_limit_of_a_line_meets_messages_alone() {
    if !is_there() {
        return;
    }
    let house = house();
    house.deliver(AIKO, &letter("just", &[vec![b'x'; 2046], b"\n".to_vec()].concat()));
    let last = letters().len() + 1;
    let body = format!("text = pop.retr({last})[1]\nassert len(text[-1]) == 2046\npop.quit()\n");
    run(&mut python(&house, Way::Tls, &body));
    house.deliver(AIKO, &letter("too long", &[vec![b'x'; 5000], b"\n".to_vec()].concat()));
    let body = format!(
        "try:\n    pop.retr({})\n    raise SystemExit('no limit?')\nexcept poplib.error_proto as \
         e:\n    assert 'line too long' in str(e), e\n",
        last + 1
    );
    run(&mut python(&house, Way::Clear, &body));
    crate::kit::wait_for_sessions(&house);
    let longest = "replies = [pop.welcome] + pop.uidl()[1] + pop.list()[1] + [pop.noop(), pop.rset()]\n\
                   assert max(map(len, replies)) <= 510\npop.quit()\n";
    run(&mut python(&house, Way::Clear, longest));
}

/// An error reply is an exception with our words in it, and the session goes on.
#[test]
fn errors_are_exceptions_in_our_words() {
    if !is_there() {
        return;
    }
    let house = house();
    let body = "
for ask in (lambda: pop.retr(99), lambda: pop.dele(0), lambda: pop.top(99, 0), lambda: pop.uidl(99)):
    try:
        ask()
        raise SystemExit('no error')
    except poplib.error_proto as e:
        assert b'-ERR' in e.args[0], e
assert pop.stat()[0] > 0
pop.quit()
";
    run(&mut python(&house, Way::Tls, body));
    let mut holder = house.logged_in(AIKO, crate::kit::HERE);
    let refused = attempt(&mut python(&house, Way::Tls, "pop.quit()"));
    assert!(said(&refused).contains("[IN-USE]"), "{}", said(&refused));
    holder.expect("QUIT", "+OK");
}
